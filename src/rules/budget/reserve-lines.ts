// What reserve is asked to hold: a line an envelope, under the label of this instant.

import type { Amounts } from '../../core/amount.js';
import { type Envelope, settingAt } from '../../core/envelope.js';
import { compareLines, type ReserveLine } from '../../core/line.js';
import { periodWindow } from './period-window.js';

export function reserveLines(
  envelopes: readonly Envelope[],
  amounts: Amounts,
  atMs: number,
): ReserveLine[] {
  const lines: ReserveLine[] = [];
  let inOrder = true;
  for (const envelope of envelopes) {
    const { id, unit, period, calendar, mode } = envelope;
    const { limit, version } = settingAt(envelope, atMs);
    const { label } = periodWindow(period, calendar, atMs);
    const line = { envelope: id, label, unit, amount: amounts[unit], limit, mode, version };
    const before = lines.at(-1);
    inOrder &&= before === undefined || compareLines(before, line) <= 0;
    lines.push(line);
  }
  // A caller's envelopes are in order already.
  return inOrder ? lines : lines.sort(compareLines);
}
