// Lines as scripts are told them: what is remembered from the call before is what this one needs.

import { expect, test } from 'vitest';
import type { ReserveLine } from '#src/core/line.js';
import { ledgerKeys } from '#src/stores/ledger/keys.js';
import {
  limitText,
  linesText,
  type Pinned,
  pin,
  pushLimits,
  readLinesText,
} from '#src/stores/ledger/redis-lines.js';

const keys = ledgerKeys('lines');
const line = (envelope: string, more: Partial<ReserveLine> = {}): ReserveLine => ({
  ...{ envelope, label: '2026-11', unit: 'nano_usd', amount: 7, limit: 100, mode: 'block' },
  ...{ version: 3 },
  ...more,
});
const ODD = 'person=a"b\\c\n|ü\u{1F600}';

const limitsOf = (pins: Pinned, lines: readonly ReserveLine[]): string[] => {
  const args: string[] = [];
  pushLimits(args, pins, lines);
  return args;
};

test('lines that differ in nothing but amounts and limits are pinned once', () => {
  const lines = [line('a'), line('b')];
  const pins = pin(keys, lines);
  expect(pin(keys, [line('a', { amount: 9 }), line('b', { limit: null })])).toBe(pins);
  expect(pins.lines).toEqual([
    { envelope: 'a', label: '2026-11', unit: 'nano_usd' },
    { envelope: 'b', label: '2026-11', unit: 'nano_usd' },
  ]);
});

test('lines that differ in anything else are pinned as they are', () => {
  const first = [line('a'), line('b'), line('c')];
  const others = [
    [line('a'), line('b2'), line('c')],
    [line('a'), line('b', { label: 'ever' }), line('c')],
    [line('a'), line('b', { unit: 'tokens' }), line('c')],
    [line('a'), line('c')],
    [line('a'), line(ODD), line('b'), line('c')],
  ];
  for (const lines of others) {
    pin(keys, first);
    const pins = pin(keys, lines);
    expect(pins.counters).toEqual(lines.map((one) => keys.counter(one.envelope, one.label)));
    expect(pins.envelopes).toEqual(lines.map(({ envelope }) => envelope));
    expect(pins.ends).toEqual(lines.map(({ label }) => (label === 'ever' ? '0' : pins.ends[0])));
    expect(pins.prepared.counters.texts).toEqual(pins.counters);
    expect(pins.prepared.envelopes.texts).toEqual(pins.envelopes);
    expect(pins.prepared.ends.texts).toEqual(pins.ends);
    expect(pins.units).toBe(lines.map(({ unit }) => unit[0]).join(''));
    expect(readLinesText(linesText(pins, lines))).toEqual(pins.lines);
  }
  expect(pin(ledgerKeys('other'), first).counters[0]).toBe('{other}:c:a|2026-11');
  expect(pin(keys, [])).toMatchObject({ lines: [], counters: [] });
});

test('the text of lines is their JSON with the amounts of now', () => {
  for (const amount of [0, 7, Number.MAX_SAFE_INTEGER, -5]) {
    const lines = [line('a', { amount }), line(ODD, { amount: 1 })];
    expect(linesText(pin(keys, lines), lines)).toBe(
      JSON.stringify([
        ['a', '2026-11', 'n', amount],
        [ODD, '2026-11', 'n', 1],
      ]),
    );
  }
  expect(linesText(pin(keys, []), [])).toBe('[]');
});

test('each limit is told as it is now, whatever was told before', () => {
  const changes: Partial<ReserveLine>[] = [
    {},
    { version: 4 },
    { limit: 0 },
    { limit: null },
    { mode: 'warn' },
    {},
  ];
  for (const change of changes) {
    const lines = [line('a', change), line('b')];
    expect(limitsOf(pin(keys, lines), lines)).toEqual(lines.map(limitText));
  }
});
