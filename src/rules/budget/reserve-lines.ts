// What reserve is asked to hold: a line an envelope, under the label of this instant.

import type { Amounts } from '../../core/amount.js';
import type { Envelope } from '../../core/envelope.js';
import { compareLines, type ReserveLine } from '../../core/line.js';
import { periodWindow } from './period-window.js';

export function reserveLines(
  envelopes: readonly Envelope[],
  amounts: Amounts,
  atMs: number,
): ReserveLine[] {
  const lines = envelopes.map(({ id, unit, period, calendar, limit, mode, version }) => ({
    envelope: id,
    label: periodWindow(period, calendar, atMs).label,
    unit,
    amount: amounts[unit],
    limit,
    mode,
    version,
  }));
  return lines.sort(compareLines);
}
