// The auditor's own books, in BigInt: what a right ledger must have in mind after each mutation.
// Shares nothing with the ledger but types, and is written for reading, not for speed.

import type { Amounts, Unit } from '#src/core/amount.js';
import type { Mode } from '#src/core/envelope.js';
import type { ReserveLine } from '#src/core/line.js';
import type { OpenHold } from '#src/stores/ledger/ledger.js';

export const TWO_HOURS_MS = 7_200_000;

export interface Account {
  envelope: string;
  label: string;
  unit: Unit;
  committed: bigint;
  reserved: bigint;
  overrun: bigint;
  /** Booked on or put back. */
  isBooked: boolean;
  /** CAP-STATE: by how much this label may be over its limit just now. */
  slack: bigint;
  touchedAtMs: number;
}

export interface Rule {
  version: number;
  limit: bigint | null;
  mode: Mode;
}

export interface Running {
  id: string;
  owner: string;
  signature: string;
  lines: readonly ReserveLine[];
  held: bigint[];
  phase: OpenHold['phase'];
  floor: Amounts;
  seen: Amounts;
  leaseEndsAtMs: number;
  stub: string;
}

export interface Ended {
  how: 'finalized' | 'released' | 'reaped' | 'refused' | 'voided';
  signature: string;
  expiresAtMs: number;
  lines: readonly ReserveLine[];
  charged: Amounts;
  isLateBooked: boolean;
  shortages?: readonly object[];
}

export interface Books {
  accounts: Map<string, Account>;
  rules: Map<string, Rule>;
  running: Map<string, Running>;
  ended: Map<string, Ended>;
  adjusts: Map<string, number>;
  /** On a Redis: the seq of each gateway's last mutation. */
  lasts: Map<string, number>;
  isOpen: boolean;
  seq: number;
  epoch: number;
}

export function newBooks(seq: number, epoch: number): Books {
  return {
    accounts: new Map(),
    rules: new Map(),
    running: new Map(),
    ended: new Map(),
    adjusts: new Map(),
    lasts: new Map(),
    isOpen: true,
    seq,
    epoch,
  };
}

export function copyBooks(books: Books): Books {
  const copied = <T extends object>(map: Map<string, T>, copy = (value: T): T => ({ ...value })) =>
    new Map([...map].map(([key, value]) => [key, copy(value)]));
  return {
    ...books,
    accounts: copied(books.accounts),
    rules: copied(books.rules),
    running: copied(books.running, (one) => ({ ...one, held: [...one.held] })),
    ended: copied(books.ended),
    adjusts: new Map(books.adjusts),
    lasts: new Map(books.lasts),
  };
}

export function accountOf(
  books: Books,
  line: { envelope: string; label: string; unit: Unit },
): Account {
  const key = `${line.envelope} ${line.label}`;
  let account = books.accounts.get(key);
  if (!account) {
    const { envelope, label, unit } = line;
    const zeros = { committed: 0n, reserved: 0n, overrun: 0n, slack: 0n };
    account = { envelope, label, unit, ...zeros, isBooked: false, touchedAtMs: 0 };
    books.accounts.set(key, account);
  }
  return account;
}

export function ruleOf(books: Books, envelope: string): Rule {
  return books.rules.get(envelope) ?? { version: -1, limit: null, mode: 'block' };
}

export function endedAs(books: Books, id: string, timeMs: number): Ended | undefined {
  const ended = books.ended.get(id);
  return ended && ended.expiresAtMs > timeMs ? ended : undefined;
}

/** The balance that a reply must show for this line. */
export function balanceOf(
  books: Books,
  line: { envelope: string; label: string; unit: Unit },
): object {
  const account = accountOf(books, line);
  const rule = ruleOf(books, line.envelope);
  return {
    envelope: line.envelope,
    label: line.label,
    unit: line.unit,
    limit: rule.limit === null ? null : Number(rule.limit),
    mode: rule.mode,
    committed: Number(account.committed),
    reserved: Number(account.reserved),
    overrun: Number(account.overrun),
  };
}

export function signatureOf(lines: readonly ReserveLine[]): string {
  return lines.map((one) => [one.envelope, one.label, one.unit, one.amount].join(' ')).join('\n');
}

/** PRECISION, as text: at most 16 digits, nothing else, and no more than 2^53-1. */
export function isWhole(value: number): boolean {
  return /^[0-9]{1,16}$/.test(String(value)) && BigInt(value) < 2n ** 53n;
}
