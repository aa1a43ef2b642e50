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
  const lines = envelopes.map((envelope) => {
    const { id, unit, period, calendar, mode } = envelope;
    const { limit, version } = settingAt(envelope, atMs);
    const { label } = periodWindow(period, calendar, atMs);
    return { envelope: id, label, unit, amount: amounts[unit], limit, mode, version };
  });
  return lines.sort(compareLines);
}
