// The form of an API key, `sk-purser-<12 public id>-<32 secret><6 crc32>` in base62, and what a
// key that is known may still not do. The check sum is looked at first, so that a mistyped or
// invented key costs no look-up; only a keyed hash of the whole text is ever stored.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { KeyRow } from '../../core/directory.js';
import { randomBase62, toBase62 } from '../../core/id.js';

export const KEY_PREFIX = 'sk-purser-';
const PUBLIC_ID_LENGTH = 12;
const SECRET_LENGTH = 32;
const CHECK_LENGTH = 6;
const FORM = /^sk-purser-([0-9A-Za-z]{12})-([0-9A-Za-z]{32})([0-9A-Za-z]{6})$/;

export interface MintedKey {
  /** The whole key, to be shown once. */
  text: string;
  publicId: string;
  /** What lists may show of it: `sk-purser-<public id>`. */
  prefix: string;
}

export function mintKey(): MintedKey {
  const publicId = randomBase62(PUBLIC_ID_LENGTH);
  const prefix = `${KEY_PREFIX}${publicId}`;
  const body = `${prefix}-${randomBase62(SECRET_LENGTH)}`;
  return { text: body + checkSum(body), publicId, prefix };
}

/** Answers undefined for whatever is no key of ours, mistyped ones included. */
export function parseKey(text: string): { publicId: string } | undefined {
  const match = FORM.exec(text);
  const publicId = match?.[1];
  if (publicId === undefined) return undefined;
  const body = text.slice(0, -CHECK_LENGTH);
  return checkSum(body) === match?.[3] ? { publicId } : undefined;
}

// 62^6 is over 2^32, so six digits hold every check sum.
function checkSum(body: string): string {
  return toBase62(crc32(body), CHECK_LENGTH);
}

/** HMAC-SHA-256 of the whole key text: 32 bytes. */
export function hashKey(text: string, pepper: Buffer): Buffer {
  return createHmac('sha256', pepper).update(text).digest();
}

export function sameHash(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

export type KeyVerdict = 'ok' | 'unknown' | 'disabled' | 'expired' | 'revoked';

/** What a key whose secret was right is worth now. Revoked is told before disabled and expired. */
export function judgeKey(row: KeyRow, nowMs: number): KeyVerdict {
  if (row.revokedAtMs !== null && row.revokedAtMs <= nowMs) return 'revoked';
  if (row.disabledAtMs !== null && row.disabledAtMs <= nowMs) return 'disabled';
  if (row.expiresAtMs !== null && row.expiresAtMs <= nowMs) return 'expired';
  if (row.graceUntilMs !== null && row.graceUntilMs <= nowMs) return 'expired';
  return 'ok';
}
