// What the rows lack of a call, whatever was booked of it before.

import { expect, test } from 'vitest';
import type { BookedLine } from '#src/core/line.js';
import type { UsageEvent } from '#src/core/usage-event.js';
import { type RecordedRow, unrecorded } from '#src/flows/upkeep/unrecorded.js';
import { usageEvent } from '../../support/events.js';

const lines = (nano: number, tokens = 5): BookedLine[] => [
  { e: 'limit:a', l: '2026-11', u: 'nano_usd', a: nano, o: 0 },
  { e: 'limit:b', l: 'ever', u: 'tokens', a: tokens, o: 0 },
];
const row = (kind: string, outcome: string, booked = lines(30)): RecordedRow =>
  ({ kind, outcome, lines: booked }) as RecordedRow;
const actual = { nano_usd: 100, tokens: 8, requests: 1, concurrency: 0 };
const base = usageEvent({ lines: lines(100, 8) });
const late: UsageEvent = { ...base, kind: 'late', lines: lines(70, 3), actual };
const { reading: _reading, ...reaped } = usageEvent({ lines: lines(30) });

test('a call without a row is missing as a whole, also where only its late part was booked', () => {
  expect(unrecorded(base, [])).toEqual(base);
  const whole = unrecorded(late, []);
  expect(whole?.kind).toBe('base');
  expect(whole?.lines).toEqual(base.lines);
});

test('of a call that a reap has charged the difference is missing, as its late row', () => {
  for (const event of [base, late]) {
    const missing = unrecorded(event, [row('base', 'reaped')]);
    expect(missing?.kind).toBe('late');
    expect(missing?.lines).toEqual(lines(70, 3));
  }
});

test('of a call that has its own row, or a late one, nothing is missing', () => {
  for (const event of [base, late]) {
    expect(unrecorded(event, [row('base', 'completed')])).toBeUndefined();
    expect(unrecorded(event, [row('base', 'reaped'), row('late', 'completed')])).toBeUndefined();
    expect(unrecorded(event, [row('late', 'completed')])).toBeUndefined();
  }
});

test('what nobody saw the end of is missing only where it has no row', () => {
  expect(unrecorded(reaped, [])).toEqual(reaped);
  expect(unrecorded(reaped, [row('base', 'reaped')])).toBeUndefined();
  expect(unrecorded(reaped, [row('base', 'completed')])).toBeUndefined();
});

test('a correction is missing where it has no row of its kind', () => {
  const adjust = usageEvent({ kind: 'adjust' });
  expect(unrecorded(adjust, [row('base', 'completed')])).toEqual(adjust);
  expect(unrecorded(adjust, [row('adjust', 'adjusted')])).toBeUndefined();
});
