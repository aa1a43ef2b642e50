// Ids: UUIDv7 from a given time (so that a reservation's id says its month) and random text.

import { randomBytes, randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let poolAt = POOL_BYTES;

/** Where in the pool so many bytes begin that nobody has had. */
function takeFrom(count: number): number {
  if (poolAt + count > POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  poolAt += count;
  return poolAt - count;
}

const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
// Written over with every id: one string is made of it, where joining pieces would make twenty.
const text = Buffer.from('00000000-0000-7000-8000-000000000000', 'latin1');
/** Where the pairs of digits of the ten random bytes stand. */
const RANDOM_AT = [14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

const COUNT_MAX = 0xfff;
let lastMs = 0;
let count = 0;

/**
 * RFC 9562 version 7: 48 bits of milliseconds, then 12 that rise within one of them from a random
 * number on, so that ids of one millisecond are in order, then 62 random bits.
 */
export function uuidV7(nowMs: number): string {
  const wholeMs = Math.floor(nowMs);
  let high = Math.floor(wholeMs / 0x1_0000);
  let low = wholeMs % 0x1_0000;
  for (let at = 7; at >= 0; at -= 1, high = Math.floor(high / 16)) text[at] = DIGITS[high & 15]!;
  for (let at = 12; at >= 9; at -= 1, low >>= 4) text[at] = DIGITS[low & 15]!;
  const start = takeFrom(RANDOM_AT.length);
  for (let i = 0; i < RANDOM_AT.length; i += 1) {
    const at = RANDOM_AT[i]!;
    const byte = pool[start + i]!;
    text[at] = DIGITS[byte >> 4]!;
    text[at + 1] = DIGITS[byte & 15]!;
  }
  const isNext = wholeMs === lastMs && count < COUNT_MAX;
  // Half of the room at least is left to count.
  count = isNext ? count + 1 : pool.readUInt16BE(start) & (COUNT_MAX >> 1);
  lastMs = wholeMs;
  text[14] = VERSION;
  text[15] = DIGITS[count >> 8]!;
  text[16] = DIGITS[(count >> 4) & 15]!;
  text[17] = DIGITS[count & 15]!;
  text[19] = DIGITS[8 | (pool[start + 2]! >> 6)]!;
  return text.toString('latin1');
}

const VERSION = 0x37;

/** The millisecond inside a UUIDv7; undefined for any other text. */
export function uuidV7TimeMs(id: string): number | undefined {
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)) {
    return undefined;
  }
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Uniform random base62 text: bytes of 248 and over are thrown away, or it would lean to 0-7. */
export function randomBase62(length: number): string {
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && text.length < length) text += BASE62[byte % 62];
    }
  }
  return text;
}

/** A non-negative integer as base62, padded with zeros. */
export function toBase62(value: number, length: number): string {
  let text = '';
  let rest = value;
  do {
    text = BASE62[rest % 62] + text;
    rest = Math.floor(rest / 62);
  } while (rest > 0);
  return text.padStart(length, '0');
}

/** A number from 0 up to 1, without 1: jitter. */
export function randomShare(): number {
  return pool.readUIntBE(takeFrom(6), 6) / 0x1_0000_0000_0000;
}
