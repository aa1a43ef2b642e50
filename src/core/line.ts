// The lines of a call: which envelopes it touches under which labels, pinned at reserve.

import type { Unit } from './amount.js';
import type { Mode } from './envelope.js';

/** What reserve is told of one envelope; the script keeps the higher version of limit and mode. */
export interface ReserveLine {
  envelope: string;
  label: string;
  unit: Unit;
  amount: number;
  limit: number | null;
  mode: Mode;
  version: number;
}

/** A booked line as rows keep it: envelope, label, unit, amount, overrun. Amounts may be negative
 * only in rows of kind `adjust`, `late` and `reconciled`. */
export interface BookedLine {
  e: string;
  l: string;
  u: Unit;
  a: number;
  o: number;
}

/** Lines in the order in which every caller must name them. */
export function compareLines(
  left: { envelope: string; label: string },
  right: { envelope: string; label: string },
): number {
  if (left.envelope !== right.envelope) return left.envelope < right.envelope ? -1 : 1;
  return left.label < right.label ? -1 : left.label > right.label ? 1 : 0;
}
