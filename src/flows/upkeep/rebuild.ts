// The embedded ledger at start: whoever was cut off is charged, everything in the spool goes into
// SQL, and only then are the totals read: nothing is added from a spool beside them, or a batch
// whose mark was lost would count twice. Admission opens last, in a new epoch.

import { assert } from '../../core/assert.js';
import type { Log } from '../../core/log.js';
import type { Ledger } from '../../stores/ledger/ledger.js';
import type { Recovery, Spool } from '../../stores/spool.js';
import type { UsageStore } from '../../stores/usage/usage.js';
import type { Drain } from './drain.js';
import { reapedEvent } from './orphan.js';

export interface RebuildOptions {
  spool: Spool & { recover(): Recovery };
  drain: Drain;
  usage: UsageStore;
  ledger: Ledger;
  log: Log;
  /** Minutes and hours that nothing has moved for so long are over for every call. */
  rateKeptMs: number;
}

export interface RebuildReport {
  /** Calls that were cut off. */
  orphans: number;
  replayedEvents: number;
  totals: number;
  epoch: number;
}

/** Starts the drain. Waits as long as SQL is away. */
export async function rebuildLedger(options: RebuildOptions): Promise<RebuildReport> {
  const { spool, drain, usage, ledger, log } = options;
  await ledger.closeAdmission();
  const { orphans, replayedEvents } = spool.recover();
  const before = await usage.watermark();
  const atMs = ledger.nowMs();
  await Promise.all(
    orphans.map((orphan) => spool.ended(reapedEvent(orphan, before.epoch, atMs), 'fsync')),
  );
  drain.start();
  await drain.idle();
  const totals = await usage.totals(atMs - options.rateKeptMs);
  for (const { envelope, label, unit, committed, overrun, adjusted } of totals) {
    // Below zero is only what an adjust took back before the row that it corrects was there.
    if (committed < 0) log.error({ envelope, label, committed }, 'a total is below zero');
    const counters = { committed: Math.max(0, committed), overrun: Math.max(0, overrun), adjusted };
    const reply = await ledger.restore({ what: 'counters', envelope, label, unit, ...counters });
    assert(reply.answer === 'RESTORED', `${envelope} ${label} was not restored: ${reply.answer}`);
  }
  const epoch = before.epoch + 1;
  await usage.raiseWatermark({ epoch, seq: 0 });
  await ledger.openAdmission(epoch);
  const report = { orphans: orphans.length, replayedEvents, totals: totals.length, epoch };
  log.info({ ...report }, 'the ledger is rebuilt from the rows');
  return report;
}
