// Scenario: usage events arrive in the write-ahead log at a steady rate, each made durable, while
// the drain brings them into SQL. The queue must not grow, and be empty soon after the last one.

import { setTimeout as sleep } from 'node:timers/promises';
import type { UsageEvent } from '#src/core/usage-event.js';
import type { Database } from '#src/drivers/database.js';
import { openUpkeep } from '../test/support/upkeep.js';

export interface Arriving {
  variant: Database['kind'];
  eventsPerSecond: number;
  /** The most that waited at once. */
  waitingMost: number;
  /** From the last event to an empty queue. */
  emptyAfterMs: number;
}

const TICK_MS = 10;

/** `makeEvents` makes as many events as it is told. */
export async function rowsArriving(
  database: Database,
  folder: string,
  makeEvents: (count: number) => UsageEvent[],
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Arriving> {
  const upkeep = await openUpkeep(folder, database);
  await upkeep.rebuild();
  upkeep.drain.start();
  const startedMs = performance.now();
  const written: Promise<void>[] = [];
  let waitingMost = 0;
  while (performance.now() - startedMs < seconds * 1000) {
    const due = Math.floor(((performance.now() - startedMs) / 1000) * perSecond) - written.length;
    for (const event of makeEvents(due)) written.push(upkeep.spool.ended(event, 'fsync'));
    waitingMost = Math.max(waitingMost, upkeep.drain.state().pendingEvents);
    await sleep(TICK_MS);
  }
  await Promise.all(written);
  const lastMs = performance.now();
  await upkeep.drain.idle();
  const emptyAfterMs = performance.now() - lastMs;
  await upkeep.close();
  const eventsPerSecond = (written.length / (lastMs - startedMs)) * 1000;
  return { variant: database.kind, eventsPerSecond, waitingMost, emptyAfterMs };
}
