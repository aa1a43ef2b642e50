// All that Redis has of the ledger, read key by key past the product, over a connection of its own.

import type { Redis } from '#src/drivers/redis.js';
import type { LedgerKeys } from '#src/stores/ledger/keys.js';

export interface DumpedHold {
  phase: string;
  held: string;
  floor: string;
  seen: string;
  leaseEndsAtMs: number;
}

export interface Dump {
  /** Undefined: Redis knows of no epoch. */
  epoch: number | undefined;
  seq: number;
  isOpen: boolean;
  holds: ReadonlyMap<string, DumpedHold>;
  /** `envelope label` -> committed, reserved, overrun. */
  counters: ReadonlyMap<string, readonly [string, string, string]>;
  /** Of the reservations that were asked for: what became of them. */
  fates: ReadonlyMap<string, string | null>;
}

/** Undefined where something moved meanwhile. */
export async function dumpOf(
  redis: Redis,
  keys: LedgerKeys,
  asked: readonly string[] = [],
): Promise<Dump | undefined> {
  const before = await stateOf(redis, keys);
  const flat = (await redis.command('zrange', keys.leases, '0', '-1', 'WITHSCORES')) as string[];
  const ids = flat.filter((_, i) => i % 2 === 0);
  const fields = ['state', 'held', 'floor', 'seen'];
  const hashes = (await redis.pipeline(
    ids.map((id) => ['hmget', keys.reservation(id), ...fields] as const),
  )) as (string | null)[][];
  const holds = new Map<string, DumpedHold>();
  for (const [i, [phase, held, floor, seen]] of hashes.entries()) {
    holds.set(ids[i]!, {
      phase: phase ?? '',
      held: held ?? '',
      floor: floor ?? '0 0 0 0',
      seen: seen ?? '0 0 0 0',
      leaseEndsAtMs: Number(flat[2 * i + 1]),
    });
  }
  const labels = (await redis.command('smembers', keys.labels)) as string[];
  const values = (await redis.pipeline(
    labels.map((key) => ['hmget', key, 'committed', 'reserved', 'overrun'] as const),
  )) as (string | null)[][];
  const counters = new Map<string, readonly [string, string, string]>();
  for (const [i, [committed, reserved, overrun]] of values.entries()) {
    const { envelope, label } = keys.counterOf(labels[i]!)!;
    const figures = [committed ?? '0', reserved ?? '0', overrun ?? '0'] as const;
    counters.set(`${envelope} ${label}`, figures);
  }
  const states = (await redis.pipeline(
    asked.map((id) => ['hget', keys.reservation(id), 'state'] as const),
  )) as (string | null)[];
  const fates = new Map(asked.map((id, i) => [id, states[i] ?? null]));
  const after = await stateOf(redis, keys);
  if (after.join() !== before.join()) return undefined;
  const [epoch, seq, open] = after;
  return {
    epoch: epoch === null ? undefined : Number(epoch),
    ...{ seq: Number(seq ?? 0), isOpen: open === '1', holds, counters, fates },
  };
}

async function stateOf(redis: Redis, keys: LedgerKeys): Promise<(string | null)[]> {
  return (await redis.command('hmget', keys.state, 'epoch', 'seq', 'open')) as (string | null)[];
}
