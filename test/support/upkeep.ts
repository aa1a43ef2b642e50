// The record's machinery as a gateway has it: spool, recorder, drain, memory ledger and the
// rebuild, over files and a database that a test chooses.

import type { Clock } from '#src/core/clock.js';
import { realClock } from '#src/drivers/clock.js';
import type { Database } from '#src/drivers/database.js';
import { diskFiles, type LogFiles } from '#src/drivers/log-files.js';
import { createDrain, type Drain } from '#src/flows/upkeep/drain.js';
import { type RebuildReport, rebuildLedger } from '#src/flows/upkeep/rebuild.js';
import type { Ledger } from '#src/stores/ledger/ledger.js';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { openSpoolLog, type SpoolLog, type SpoolLogOptions } from '#src/stores/spool-log.js';
import { createUsageStore, type UsageStore } from '#src/stores/usage/usage.js';
import { type TestLog, testLog } from './log.js';
import { type TestRecorder, testRecorder } from './usage.js';

export interface Upkeep {
  spool: SpoolLog;
  recorder: TestRecorder;
  drain: Drain;
  usage: UsageStore;
  ledger: Ledger;
  log: TestLog;
  rebuild(): Promise<RebuildReport>;
  /** Drains what is left and closes the spool. */
  close(): Promise<void>;
}

export function openTestSpool(
  files: LogFiles | string,
  more: Partial<SpoolLogOptions> = {},
): Promise<SpoolLog> {
  return openSpoolLog({
    files: typeof files === 'string' ? diskFiles(files) : files,
    clock: realClock,
    segmentBytes: 64 * 1024,
    bytesMax: 256 * 1024 * 1024,
    queueBytesMax: 32 * 1024 * 1024,
    retryMs: 50,
    onHighWater: () => {},
    onDamage: () => {},
    onTrouble: () => {},
    memoryBytesMax: 4 * 1024 * 1024,
    keepDrainedMs: 86_400_000,
    replayBytes: 64 * 1024,
    ...more,
  });
}

export async function openUpkeep(
  files: LogFiles | string,
  database: Database,
  clock: Clock = realClock,
): Promise<Upkeep> {
  const log = testLog();
  const spool = await openTestSpool(files, { clock });
  const recorder = testRecorder(database);
  const ledger = createMemoryLedger({ clock });
  const usage = createUsageStore(database);
  const drain = createDrain({
    ...{ spool, recorder, log, batchMax: 1000, retryMinMs: 5, retryMaxMs: 100 },
    clock: realClock,
  });
  const rateKeptMs = 48 * 3_600_000;
  return {
    ...{ spool, recorder, drain, usage, ledger, log },
    rebuild: () => rebuildLedger({ spool, drain, usage, ledger, log, rateKeptMs }),
    async close() {
      drain.start();
      await drain.idle();
      await drain.stop();
      await spool.close();
    },
  };
}
