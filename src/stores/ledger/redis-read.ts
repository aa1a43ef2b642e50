// Reads of the Redis ledger: balances, open holds, what is overdue, and the labels that reconcile
// walks through. None of them changes a counter.

import { randomInt } from 'node:crypto';
import type { Balance } from '../../core/envelope.js';
import type { OpenHold } from './ledger.js';
import type { RedisParts } from './redis-hold.js';
import {
  type LineKey,
  pin,
  readAmounts,
  readBalances,
  readLimitText,
  readLinesText,
  unitOf,
} from './redis-lines.js';
import { toLedgerUnavailable } from './redis-wire.js';

const COUNTERS_MAX = 256;
const HOLD_FIELDS = ['state', 'owner', 'lines', 'held', 'limits', 'floor', 'seen', 'stub'];
const PLACES = 2 ** 31;

export async function balances(
  { wire, keys }: RedisParts,
  lines: readonly LineKey[],
): Promise<Balance[]> {
  const all: Balance[] = [];
  for (let at = 0; at < lines.length; at += COUNTERS_MAX) {
    const some = lines.slice(at, at + COUNTERS_MAX);
    const { counters, envelopes } = pin(keys, some);
    const raw = await wire.send('balances', [keys.state, keys.limits, ...counters], envelopes);
    all.push(...readBalances(some, raw.balances));
  }
  return all;
}

export async function overdue({ wire, keys }: RedisParts, limit: number): Promise<string[]> {
  const args = [`${limit}`, `${randomInt(PLACES)}`];
  const raw = await wire.send('overdue', [keys.state, keys.leases], args);
  return raw.detail as string[];
}

/** One that ends between the two reads is left out, so a page may be shorter than asked. */
export async function holds(
  { redis, keys }: RedisParts,
  { offset, limit }: { offset: number; limit: number },
): Promise<{ holds: OpenHold[]; total: number }> {
  const last = `${offset + limit - 1}`;
  const [total, page] = await redis
    .pipeline([
      ['zcard', keys.leases],
      ['zrange', keys.leases, `${offset}`, last, 'WITHSCORES'],
    ])
    .catch(toLedgerUnavailable);
  const members = page as string[];
  const calls = [];
  for (let i = 0; i < members.length; i += 2) {
    calls.push(['hmget', keys.reservation(members[i]!), ...HOLD_FIELDS] as const);
  }
  const replies = await redis.pipeline(calls).catch(toLedgerUnavailable);
  const open = replies.map((fields, i) =>
    holdOf(members[2 * i]!, Number(members[2 * i + 1]), fields as (string | null)[]),
  );
  return { holds: open.filter((hold) => hold !== undefined), total: total as number };
}

function holdOf(
  id: string,
  leaseEndsAtMs: number,
  [phase, owner, linesText, held, limits, floor, seen, stub]: readonly (string | null)[],
): OpenHold | undefined {
  if ((phase !== 'held' && phase !== 'sent') || !linesText) return undefined;
  const amounts = (held ?? '').split(' ');
  const pinnedLimits = (limits ?? '').split(' ');
  const lines = readLinesText(linesText).map((line, i) => {
    const { limit, mode, version } = readLimitText(pinnedLimits[i]);
    return { ...line, amount: Number(amounts[i]), limit, mode, version };
  });
  return {
    ...{ id, owner: owner ?? '', phase, lines, leaseEndsAtMs, stub: stub ?? '' },
    ...{ floor: readAmounts(floor), seen: readAmounts(seen) },
  };
}

/** A counter as it stands, with what a Balance does not show. */
export interface CounterRow extends LineKey {
  committed: number;
  reserved: number;
  overrun: number;
  adjusted: number;
}

/**
 * One page of all counters. Begin with cursor '0', end when it comes back as '0'; a counter may
 * come twice. Labels whose counters have expired are forgotten on the way.
 */
export async function counterPage(
  { redis, keys }: RedisParts,
  cursor: string,
): Promise<{ cursor: string; counters: CounterRow[]; expired: string[] }> {
  const scanned = (await redis
    .command('sscan', keys.labels, cursor, 'COUNT', `${COUNTERS_MAX}`)
    .catch(toLedgerUnavailable)) as [string, string[]];
  const fields = ['unit', 'committed', 'reserved', 'overrun', 'adjusted'];
  const [next, names] = scanned;
  const calls = names.map((name) => ['hmget', name, ...fields] as const);
  const replies = (await redis.pipeline(calls).catch(toLedgerUnavailable)) as (string | null)[][];
  const counters: CounterRow[] = [];
  const expired: string[] = [];
  for (const [i, [unit, committed, reserved, overrun, adjusted]] of replies.entries()) {
    const place = keys.counterOf(names[i]!);
    if (!place) continue;
    if (unit === null) expired.push(names[i]!);
    else {
      const amounts = { committed, reserved, overrun, adjusted };
      counters.push({ ...place, unit: unitOf(unit), ...numbers(amounts) });
    }
  }
  return { cursor: next, counters, expired };
}

function numbers<K extends string>(texts: Record<K, string | null | undefined>): Record<K, number> {
  const entries = Object.entries<string | null | undefined>(texts);
  return Object.fromEntries(entries.map(([key, text]) => [key, Number(text ?? 0)])) as Record<
    K,
    number
  >;
}
