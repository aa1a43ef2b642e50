// A large body is worked on in steps, with a turn of the loop for the others between two of them:
// decoding and parsing 400 KB take a millisecond and a half, recognising its texts another one.

import { setImmediate } from 'node:timers/promises';

const LARGE_BYTES = 65_536;

export function isLarge(raw: Buffer): boolean {
  return raw.length > LARGE_BYTES;
}

/** Wait for it between two steps; undefined where the body is small. */
export function breathe(raw: Buffer): Promise<void> | undefined {
  return isLarge(raw) ? setImmediate() : undefined;
}
