// Replies of scripts as gateways read them: texts that hold anything, and texts that are none.

import { expect, test } from 'vitest';
import { bookedLines } from '#src/stores/ledger/redis-end.js';
import { readBalances } from '#src/stores/ledger/redis-lines.js';
import { readReply } from '#src/stores/ledger/redis-wire.js';

const line = (envelope: string) => ({ envelope, label: '2026-11', unit: 'tokens' }) as const;
const MOST = Number.MAX_SAFE_INTEGER;

test('a reply is read to the last digit, whatever its detail holds', () => {
  for (const detail of ['', 'a b', '\n\n', '[["agent=ü x","2026-11","n",1]]\nmore 1 2', ' ']) {
    const text = `KEYS ${MOST} 3 1700000000123 ${MOST - 1} \n${detail}`;
    expect(readReply(text)).toEqual({
      ...{ answer: 'KEYS', seq: MOST, epoch: 3, timeMs: 1700000000123, last: MOST - 1 },
      ...{ balances: '', detail },
    });
  }
});

test('a list beside the text is the detail as it is', () => {
  const detail = [['GONE'], ['REAPED', '1 2 3 4', '', '{"a":" \\n"}']];
  const raw = readReply(['SWEPT 1 2 3 4 ', detail]);
  expect(raw).toMatchObject({
    answer: 'SWEPT',
    seq: 1,
    epoch: 2,
    timeMs: 3,
    last: 4,
    balances: '',
  });
  expect(raw.detail).toBe(detail);
});

test('balances are read line by line: with a limit, without one, and where none was told', () => {
  const { balances } = readReply(`RESERVED 9 1 5 9 ${MOST} 1 0 12:${MOST}:b 0 2 3 7::w 4 5 6 \nx`);
  expect(readBalances(['a', 'b', 'c'].map(line), balances)).toEqual([
    { ...line('a'), limit: MOST, mode: 'block', committed: MOST, reserved: 1, overrun: 0 },
    { ...line('b'), limit: null, mode: 'warn', committed: 0, reserved: 2, overrun: 3 },
    { ...line('c'), limit: null, mode: 'block', committed: 4, reserved: 5, overrun: 6 },
  ]);
  expect(readBalances([line('a')], '0 0 0 1:0:w')).toMatchObject([{ limit: 0, mode: 'warn' }]);
  expect(readBalances([line('a')], '')).toEqual([]);
});

test.each([
  ['fewer than the lines', '0 0 0 1:2:b'],
  ['more than the lines', '0 0 0 1:2:b 0 0 0 1:2:b 0 0 0 1:2:b'],
  ['with a space too many', '0 0  0 1:2:b 0 0 0 1:2:b'],
  ['with a limit cut short', '0 0 0 1:2:b 0 0 0 1:2'],
])('balances %s are told by an error, never by wrong numbers', (_name, text) => {
  expect(() => readBalances([line('a'), line('b')], text)).toThrow('cannot be read');
});

test.each([
  '',
  'OK',
  'RESERVED 1 2 3',
  'RESERVED 1 2 3 x \n',
  'RESERVED 1 2 3 4 0 0 0 ',
  ['A 1 2', []],
])('%j is no reply', (reply) => {
  expect(() => readReply(reply)).toThrow('cannot be read');
});

test('what was booked is read with its sign', () => {
  expect(bookedLines([line('a'), line('b')], `-12 0 ${MOST} 7`)).toEqual([
    { e: 'a', l: '2026-11', u: 'tokens', a: -12, o: 0 },
    { e: 'b', l: '2026-11', u: 'tokens', a: MOST, o: 7 },
  ]);
});
