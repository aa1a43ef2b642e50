// Ids: UUIDv7 from a given time (so that a reservation's id says its month) and random text.

import { randomBytes, randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let poolAt = POOL_BYTES;

function take(count: number): Buffer {
  if (poolAt + count > POOL_BYTES) {
    randomFillSync(pool);
    poolAt = 0;
  }
  poolAt += count;
  return pool.subarray(poolAt - count, poolAt);
}

/** RFC 9562 version 7: 48 bits of milliseconds, then 74 random bits. */
export function uuidV7(nowMs: number): string {
  const random = take(10);
  const time = Math.floor(nowMs).toString(16).padStart(12, '0');
  const a = ((random[0]! & 0x0f) | 0x70).toString(16).padStart(2, '0');
  const b = ((random[2]! & 0x3f) | 0x80).toString(16).padStart(2, '0');
  const hex = random.toString('hex');
  const tail = `${b}${hex.slice(6, 8)}-${hex.slice(8, 20)}`;
  return `${time.slice(0, 8)}-${time.slice(8)}-${a}${hex.slice(2, 4)}-${tail}`;
}

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
  return take(6).readUIntBE(0, 6) / 0x1_0000_0000_0000;
}
