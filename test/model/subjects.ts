// Ledgers for histories: in memory on a clock that the history moves, or on a Redis, many over one
// connection, each with keys of its own.

import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { realClock } from '#src/drivers/clock.js';
import { openRedis } from '#src/drivers/redis.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { createRedisLedger } from '#src/stores/ledger/redis-ledger.js';
import type { OpenSubject } from '../contract/subject.js';
import { manualClock } from '../support/manual-clock.js';

/** Hours before an hour comes twice, where calendars are strange. */
const BEGIN_MS = Date.UTC(2026, 9, 24, 9, 41);
const COMMAND_TIMEOUT_MS = 10_000;

export const openMemory: OpenSubject = async () => {
  const clock = manualClock(BEGIN_MS);
  const ledger = createMemoryLedger({ clock });
  return { ledger, pass: async (ms) => clock.advance(ms), stop: () => ledger.close() };
};

export async function openManyOnRedis(
  url: string,
): Promise<{ open: OpenSubject; close(): Promise<void> }> {
  const redis = openRedis({ urls: [url], clock: realClock, commandTimeoutMs: COMMAND_TIMEOUT_MS });
  await redis.ready(COMMAND_TIMEOUT_MS);
  const scripts = loadScripts();
  return {
    async open() {
      const ledger = createRedisLedger({ redis, scripts, clock: realClock, tag: randomUUID() });
      await ledger.openAdmission(1);
      // A timer may fire a little early by the clock that is asked.
      return { ledger, pass: (ms) => wait(ms + 2), stop: () => ledger.close() };
    },
    close: () => redis.close(),
  };
}
