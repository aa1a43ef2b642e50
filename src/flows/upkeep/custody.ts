// The spool beside a ledger that has an outbox: it keeps every event of this gateway until SQL's
// watermark has passed it, and books again what the ledger never heard of or has lost. A watermark
// counts only if the ledger, asked after it was read, still has all that this gateway did: one that
// was rolled back gives the same seqs to other events.

import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { UsageEvent } from '../../core/usage-event.js';
import type { Ledger } from '../../stores/ledger/ledger.js';
import type { DrainSource } from '../../stores/spool.js';
import type { Watermark } from '../../stores/usage/totals.js';
import type { UsageStore } from '../../stores/usage/usage.js';
import { rebook } from './rebook.js';
import { type Repeated, repeat } from './repeat.js';

export interface CustodyOptions {
  spool: DrainSource;
  ledger: Ledger;
  usage: UsageStore;
  clock: Clock;
  log: Log;
  everyMs: number;
  /** So many of the oldest events are of a former run. */
  formerEvents: number;
}

export interface Custody extends Repeated {
  /** Lets go of what is safe, now. */
  round(): Promise<void>;
}

const BATCH_MAX = 500;

/** Events that were booked again, by id and kind, and where their rows come from. */
type Again = Map<string, Watermark>;

export function createCustody(options: CustodyOptions): Custody {
  const { spool, ledger, usage, clock, log, everyMs } = options;
  const again: Again = new Map();
  let former = options.formerEvents;
  const round = async (): Promise<void> => {
    for (;;) {
      const mark = await usage.watermark();
      const { open, epoch } = await ledger.state();
      // While it is being rebuilt, the rebuild itself takes what is here.
      if (!open) return;
      const batch = await spool.next(BATCH_MAX);
      if (batch.events.length === 0) return;
      const safe: UsageEvent[] = [];
      let isFirst = true;
      for (const [i, event] of batch.events.entries()) {
        const place = { event, epoch, mark, isFormer: i < former };
        // What waits must not keep those behind it from being booked.
        isFirst = (await isSafe(options, again, place)) && isFirst;
        if (isFirst) safe.push(event);
      }
      former = Math.max(0, former - safe.length);
      for (const { id, kind } of safe) again.delete(`${id} ${kind}`);
      if (safe.length > 0) spool.drained({ events: safe });
      if (safe.length < batch.events.length) return;
    }
  };
  return { round, ...repeat({ clock, log, everyMs, name: 'the custody of events' }, round) };
}

interface Kept {
  event: UsageEvent;
  epoch: number;
  mark: Watermark;
  isFormer: boolean;
}

async function isSafe(
  { ledger, usage, log }: CustodyOptions,
  again: Again,
  { event, epoch, mark, isFormer }: Kept,
): Promise<boolean> {
  const isLost = event.unbooked || event.epoch < epoch;
  if (!isLost && !isPassed(mark, event)) return false;
  // What a former run did, nobody holds against the ledger: there the row is asked for.
  if (!isLost && !isFormer) return true;
  const key = `${event.id} ${event.kind}`;
  const booked = again.get(key);
  if (booked?.epoch === epoch) return isPassed(mark, booked);
  const { what, ...place } = await rebook(ledger, usage, event);
  if (what === 'booked') {
    again.set(key, place as Watermark);
    log.warn({ id: event.id }, 'an event was booked again');
  }
  return what === 'recorded';
}

function isPassed(mark: Watermark, { epoch, seq }: Watermark): boolean {
  return epoch === mark.epoch && seq <= mark.seq;
}
