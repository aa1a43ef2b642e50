// The usage log under the data directory.

import { join } from 'node:path';
import type { Config } from './config.js';
import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import { diskFiles } from './drivers/log-files.js';
import { openSpoolLog, type SpoolLog } from './stores/spool-log.js';

const MIB = 1024 * 1024;
// Read back whole, at start and where the drain is far behind.
const SEGMENT_BYTES = 8 * MIB;
const LOG_BYTES_MAX = 4096 * MIB;
const QUEUE_BYTES_MAX = 64 * MIB;
const MEMORY_BYTES_MAX = 64 * MIB;
const REPLAY_BYTES = 4 * MIB;
const KEEP_DRAINED_MS = 24 * 3_600_000;
const RETRY_MS = 1_000;

/** Options of an append log in a folder of the data directory, with its troubles told. */
export async function logOptions(config: Config, folder: string, clock: Clock, log: Log) {
  return {
    files: diskFiles(join(config.dataDir, folder)),
    clock,
    segmentBytes: SEGMENT_BYTES,
    bytesMax: LOG_BYTES_MAX,
    queueBytesMax: QUEUE_BYTES_MAX,
    retryMs: RETRY_MS,
    onHighWater: (bytes: number) =>
      log.warn({ folder, bytes }, 'the log is nearly full: is the database away?'),
    onDamage: (damage: object) => log.error({ folder, ...damage }, 'the log had a damaged place'),
    onTrouble: (error: Error) => log.error({ folder, error }, 'the log could not be written'),
  };
}

export async function openSpool(config: Config, clock: Clock, log: Log): Promise<SpoolLog> {
  return openSpoolLog({
    ...(await logOptions(config, 'spool', clock, log)),
    memoryBytesMax: MEMORY_BYTES_MAX,
    keepDrainedMs: KEEP_DRAINED_MS,
    replayBytes: REPLAY_BYTES,
  });
}
