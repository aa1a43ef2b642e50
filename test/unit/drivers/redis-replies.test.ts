// Replies of Redis, split wherever a network may split them.

import { expect, test } from 'vitest';
import { ReplyError } from '#src/drivers/redis-errors.js';
import { type RedisReply, ReplyReader } from '#src/drivers/redis-replies.js';

const WIRE = Buffer.from(
  [
    '+OK\r\n',
    '$5\r\nhello\r\n',
    '$0\r\n\r\n',
    '$-1\r\n',
    ':0\r\n:-12\r\n:9007199254740991\r\n',
    '-NOSCRIPT No matching script.\r\n',
    '$13\r\na\r\nb ü € x\r\n',
    '*0\r\n',
    '*-1\r\n',
    '*3\r\n$1\r\na\r\n*2\r\n:1\r\n*1\r\n$2\r\nbc\r\n-ERR inside\r\n',
    '*2\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$5\r\nevent\r\n$2\r\n{}\r\n*2\r\n$3\r\n1-2\r\n*0\r\n',
    '+\r\n',
  ].join(''),
);
const REPLIES: RedisReply[] = [
  'OK',
  'hello',
  '',
  null,
  ...[0, -12, 9007199254740991],
  new ReplyError('NOSCRIPT No matching script.'),
  'a\r\nb ü € x',
  [],
  null,
  ['a', [1, ['bc']], new ReplyError('ERR inside')],
  [
    ['1-1', ['event', '{}']],
    ['1-2', []],
  ],
  '',
];

/** What a reader told of these pieces; each piece is spoilt once it was read, as a buffer is. */
function read(...pieces: Buffer[]): RedisReply[] {
  const told: RedisReply[] = [];
  const reader = new ReplyReader((reply) => told.push(reply));
  for (const piece of pieces) {
    const bytes = Buffer.from(piece);
    reader.read(bytes);
    bytes.fill('!');
  }
  return told;
}

test('replies come out whole and in order, split at any byte', () => {
  expect(read(WIRE)).toEqual(REPLIES);
  for (let at = 1; at < WIRE.length; at += 1) {
    expect(read(WIRE.subarray(0, at), WIRE.subarray(at)), `split at ${at}`).toEqual(REPLIES);
  }
});

test('replies come out whole and in order, split at any two bytes', () => {
  for (let at = 1; at < WIRE.length; at += 1) {
    for (let next = at + 1; next < WIRE.length; next += 7) {
      const pieces = [WIRE.subarray(0, at), WIRE.subarray(at, next), WIRE.subarray(next)];
      expect(read(...pieces)).toHaveLength(REPLIES.length);
    }
  }
});

test('replies come out whole and in order byte by byte', () => {
  expect(read(...[...WIRE].map((byte) => Buffer.from([byte])))).toEqual(REPLIES);
});

test('of a reply that is not whole nothing is told', () => {
  for (const text of ['$5\r\nhell', '*2\r\n:1\r\n', ':12', ':12\r', '+OK\r', '$3', '*', '$']) {
    expect(read(Buffer.from(text)), text).toEqual([]);
  }
});

test('a text larger than many reads comes out as it is', () => {
  const text = 'ü'.repeat(300_000);
  const wire = Buffer.from(`$600000\r\n${text}\r\n:1\r\n`);
  const pieces: Buffer[] = [];
  for (let at = 0; at < wire.length; at += 65_536) pieces.push(wire.subarray(at, at + 65_536));
  expect(read(...pieces)).toEqual([text, 1]);
});

test.each([
  ['a first byte that begins no reply', '!1\r\n'],
  ['a text that is longer than it says', '$2\r\nabc\r\n'],
  ['a text that ends with something else', '$3\r\nabc\rx'],
  ['a length that is no number', '$x\r\n'],
  ['a length with nothing', '$\r\n'],
  ['a length below nothing', '$-2\r\nab\r\n'],
  ['a length beyond what Redis has', '$600000000\r\n'],
  ['a list of fewer than nothing', '*-2\r\n'],
  ['a number with a fraction', ':1.5\r\n'],
  ['a number that is no whole one any more', ':12345678901234567\r\n'],
  ['a number that ends with half a line end', ':1\rx'],
  ['only a sign', ':-\r\n'],
])('%s is no reply', (_name, text) => {
  expect(() => read(Buffer.from(text))).toThrow();
});
