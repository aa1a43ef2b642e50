// What the rows still lack of a call, given an event of it that may or may not have become one
// (ledger.md 12): a call that was seen to its end comes to what it came to, whoever booked what of
// it before; one that was cut off comes to what a reap charged, and that is booked once.

import type { BookedLine } from '../../core/line.js';
import type { UsageEvent } from '../../core/usage-event.js';
import type { UsageStore } from '../../stores/usage/usage.js';

export type RecordedRow = Awaited<ReturnType<UsageStore['rows']>>[number];

/** The event as it has to be recorded now; undefined where the rows have it all. */
export function unrecorded(
  event: UsageEvent,
  rows: readonly RecordedRow[],
): UsageEvent | undefined {
  const { kind, reading } = event;
  const base = rows.find((row) => row.kind === 'base');
  const hasLate = rows.some((row) => row.kind === 'late');
  if (!reading || (kind !== 'base' && kind !== 'late')) {
    return rows.some((row) => row.kind === kind) ? undefined : event;
  }
  const whole = wholeLines(event);
  if (!whole) return hasLate ? undefined : event;
  // A reap that charged nothing left no row: then the late one is all there is.
  if (!base) return hasLate ? undefined : { ...event, kind: 'base', lines: whole };
  if (base.outcome !== 'reaped' || hasLate) return undefined;
  return { ...event, kind: 'late', lines: difference(whole, base.lines) };
}

// A late event books what comes on top of the reap's charge; its row may be lost with the reap's.
function wholeLines({ kind, lines, actual }: UsageEvent): BookedLine[] | undefined {
  if (kind === 'base') return lines;
  if (!actual) return undefined;
  return lines.map((line) => ({ ...line, a: actual[line.u], o: 0 }));
}

function difference(lines: readonly BookedLine[], before: readonly BookedLine[]): BookedLine[] {
  const had = new Map(before.map((line) => [`${line.e} ${line.l}`, line.a]));
  return lines.map((line) => ({
    ...line,
    a: line.a - (had.get(`${line.e} ${line.l}`) ?? 0),
    o: 0,
  }));
}
