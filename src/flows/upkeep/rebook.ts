// Books an event that the ledger does not have: its end could not be told while the ledger was
// away, or it was booked in an epoch that is lost. What SQL knows decides (ledger.md 12): a row
// that a finalize wrote, nothing is missing; a row that a reap wrote, the difference is; no row,
// all of it is. The adjust writes its event to the outbox like any other.

import type { BookedLine } from '../../core/line.js';
import type { UsageEvent } from '../../core/usage-event.js';
import { type Ledger, LedgerUnavailable } from '../../stores/ledger/ledger.js';
import type { UsageStore } from '../../stores/usage/usage.js';

export type Rebooked = 'finalized' | 'known' | 'adjusted';

/** Idempotent by the event's id. Rejects with LedgerUnavailable: try again later. */
export async function rebook(
  ledger: Ledger,
  usage: UsageStore,
  event: UsageEvent,
): Promise<Rebooked> {
  const { id, stub, reading, kind } = event;
  if (event.unbooked) {
    const told = { id, stub, ...(reading && { reading }) };
    const { answer } = await ledger.finalize({ id, actual: amountsOf(event), event: told });
    if (answer === 'FINALIZED' || answer === 'LATE_FINALIZE') return 'finalized';
    if (answer === 'ALREADY_FINALIZED') return 'known';
    if (answer !== 'UNKNOWN') throw new LedgerUnavailable(answer);
  }
  const rows = await usage.rows(id);
  const same = rows.find((row) => row.kind === kind);
  const wasReaped = same?.outcome === 'reaped' && event.reading !== undefined;
  if (same && (!wasReaped || rows.some((row) => row.kind === 'late'))) return 'known';
  const lines = (same ? difference(event.lines, same.lines) : event.lines).map((line) => ({
    envelope: line.e,
    label: line.l,
    unit: line.u,
    amount: line.a,
  }));
  const {
    unbooked: _unbooked,
    lines: _lines,
    seq: _seq,
    epoch: _epoch,
    atMs: _at,
    ...rest
  } = event;
  const { answer } = await ledger.adjust({
    id,
    lines,
    event: { ...rest, kind: same ? 'late' : kind },
  });
  if (answer !== 'ADJUSTED' && answer !== 'EXISTS') throw new LedgerUnavailable(answer);
  return 'adjusted';
}

function amountsOf(event: UsageEvent) {
  const amounts = { nano_usd: 0, tokens: 0, requests: 0, concurrency: 0 };
  for (const { u, a } of event.lines) amounts[u] = a;
  return amounts;
}

function difference(lines: readonly BookedLine[], before: readonly BookedLine[]): BookedLine[] {
  const had = new Map(before.map((line) => [`${line.e} ${line.l}`, line.a]));
  return lines.map((line) => ({
    ...line,
    a: line.a - (had.get(`${line.e} ${line.l}`) ?? 0),
    o: 0,
  }));
}
