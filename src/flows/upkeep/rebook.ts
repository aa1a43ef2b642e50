// Books an event that the ledger does not have: its end could not be told while the ledger was
// away, or it was booked in an epoch that is lost. What the rows lack of it is booked by an adjust,
// whose event comes into SQL by the outbox like any other; until then the spool keeps it.

import type { Amounts } from '../../core/amount.js';
import type { UsageEvent } from '../../core/usage-event.js';
import { type Ledger, LedgerUnavailable } from '../../stores/ledger/ledger.js';
import type { UsageStore } from '../../stores/usage/usage.js';
import { unrecorded } from './unrecorded.js';

export interface Rebooked {
  /** `recorded`: the rows have it; `booked`: the outbox has it; `awaited`: it has to come. */
  what: 'recorded' | 'booked' | 'awaited';
  /** With `booked`: once SQL's watermark has passed this, the rows have it. */
  epoch?: number;
  seq?: number;
}

/** Idempotent by the event's id and kind. Rejects with LedgerUnavailable: try again later. */
export async function rebook(
  ledger: Ledger,
  usage: UsageStore,
  event: UsageEvent,
): Promise<Rebooked> {
  const missing = unrecorded(event, await usage.rows(event.id));
  if (!missing) return { what: 'recorded' };
  const { id, stub, reading } = event;
  if (event.unbooked) {
    const told = { id, stub, ...(reading && { reading }) };
    const reply = await ledger.finalize({ id, actual: amountsOf(event), event: told });
    if (reply.event) return { what: 'booked', epoch: reply.event.epoch, seq: reply.event.seq };
    if (reply.answer === 'ALREADY_FINALIZED') return { what: 'awaited' };
    if (reply.answer !== 'UNKNOWN') throw new LedgerUnavailable(reply.answer);
  }
  const { unbooked: _unbooked, lines, seq: _seq, epoch: _epoch, atMs: _at, ...rest } = missing;
  const reply = await ledger.adjust({
    // A call may have both: what a reap charged, and what it came to in the end.
    id: rest.kind === 'base' ? id : `${id}/${rest.kind}`,
    lines: lines.map(({ e, l, u, a }) => ({ envelope: e, label: l, unit: u, amount: a })),
    event: rest,
  });
  if (reply.event) return { what: 'booked', epoch: reply.event.epoch, seq: reply.event.seq };
  if (reply.answer !== 'EXISTS') throw new LedgerUnavailable(reply.answer);
  return { what: 'awaited' };
}

function amountsOf({ lines }: UsageEvent): Amounts {
  const amounts = { nano_usd: 0, tokens: 0, requests: 0, concurrency: 0 };
  for (const { u, a } of lines) amounts[u] = a;
  return amounts;
}
