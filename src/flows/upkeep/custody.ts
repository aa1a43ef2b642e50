// The spool beside a ledger that has an outbox: it keeps every event of this gateway until SQL's
// watermark has passed it, and books again what the ledger never heard of or has lost.

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
}

export interface Custody extends Repeated {
  /** Lets go of what is safe, now. */
  round(): Promise<void>;
}

const BATCH_MAX = 500;

export function createCustody(options: CustodyOptions): Custody {
  const { spool, ledger, usage, clock, log, everyMs } = options;
  const round = async (): Promise<void> => {
    const { open, epoch } = await ledger.state();
    // While it is being rebuilt, the rebuild itself takes what is here.
    if (!open) return;
    for (;;) {
      const batch = await spool.next(BATCH_MAX);
      if (batch.events.length === 0) return;
      const mark = await usage.watermark();
      const safe: UsageEvent[] = [];
      for (const event of batch.events) {
        if (!(await isSafe(options, event, epoch, mark))) break;
        safe.push(event);
      }
      if (safe.length > 0) spool.drained({ events: safe });
      if (safe.length < batch.events.length) return;
    }
  };
  return { round, ...repeat({ clock, log, everyMs, name: 'the custody of events' }, round) };
}

async function isSafe(
  { ledger, usage, log }: CustodyOptions,
  event: UsageEvent,
  epoch: number,
  mark: Watermark,
): Promise<boolean> {
  const isLost = event.unbooked || event.epoch < epoch;
  if (!isLost) return event.epoch === mark.epoch && event.seq <= mark.seq;
  const outcome = await rebook(ledger, usage, event);
  if (outcome === 'adjusted') log.warn({ id: event.id }, 'an event was booked again by an adjust');
  return true;
}
