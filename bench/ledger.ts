// Ledger pairs (reserve + finalize) a second on one Redis, beside SET by the same client: what the
// ledger costs is a ratio, because the machine's own speed cancels out. Rounds alternate; the
// middle one counts.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Amounts, NOTHING } from '#src/core/amount.js';
import { uuidV7 } from '#src/core/id.js';
import type { ReserveLine } from '#src/core/line.js';
import { realClock } from '#src/drivers/clock.js';
import { openRedis, type Redis } from '#src/drivers/redis.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { createRedisLedger, type RedisLedger } from '#src/stores/ledger/redis-ledger.js';
import { startRedis } from '../test/support/programs.js';

const DEPTH = 64;
const STUB = JSON.stringify({
  attribution: { agentId: '0192f0c1-aaaa-7bbb-8ccc-1234567890ab', agentName: 'coder-7' },
  ...{ provider: 'openai', model: 'gpt-4o-mini', priceVersion: '2026-11-01', stream: true },
  ...{ startedAtMs: 1_795_000_000_000, requestId: '0192f0c1-aaaa-7bbb-8ccc-1234567890ab' },
});
const ACTUAL: Amounts = { ...NOTHING, nano_usd: 1_204_310, tokens: 812, requests: 1 };

export interface LedgerBench {
  setPerSecond: number;
  pairsPerSecond: number;
  ratio: number;
}

/** Alternates SET and pairs for `seconds` each, `rounds` times; medians. */
export async function ledgerBench(options: {
  seconds: number;
  rounds: number;
}): Promise<LedgerBench> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-bench-'));
  const server = await startRedis(folder);
  const redis = openRedis({ urls: [server.url], clock: realClock, commandTimeoutMs: 5_000 });
  try {
    await redis.ready(5_000);
    const ledger = createRedisLedger({ redis, scripts: loadScripts(), clock: realClock });
    await ledger.openAdmission(1);
    const sets: number[] = [];
    const pairs: number[] = [];
    for (let round = 0; round < options.rounds; round++) {
      sets.push(await perSecond(options.seconds, (i) => set(redis, i)));
      pairs.push(await perSecond(options.seconds, (i) => pair(ledger, i)));
      await redis.command('flushall');
      // What was lost is another epoch.
      await ledger.openAdmission(2 + round);
    }
    const [setPerSecond, pairsPerSecond] = [median(sets), median(pairs)];
    return { setPerSecond, pairsPerSecond, ratio: pairsPerSecond / setPerSecond };
  } finally {
    await redis.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

export async function perSecond(
  seconds: number,
  once: (i: number) => Promise<void>,
): Promise<number> {
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1000;
  let count = 0;
  const run = async (): Promise<void> => {
    while (performance.now() < endMs) await once(count++);
  };
  await Promise.all(Array.from({ length: DEPTH }, run));
  return (count * 1000) / (performance.now() - startedMs);
}

export async function set(redis: Redis, i: number): Promise<void> {
  await redis.command('set', `bench:${i % 1000}`, '1204310');
}

// Four envelopes, as a call of an agent has them; agents differ, the rest is shared.
export async function pair(ledger: RedisLedger, i: number): Promise<void> {
  const id = uuidV7(ledger.nowMs());
  const agent = `limit:0192f0c1-bbbb-7bbb-8ccc-${String(i % 50).padStart(12, '0')}`;
  const lines: ReserveLine[] = [
    line(agent, '2026-11-21', 'nano_usd', 2_000_000),
    line('limit:ffffffff-0001-7bbb-8ccc-1234567890ab', '2026-11', 'nano_usd', 2_000_000),
    line('limit:ffffffff-0002-7bbb-8ccc-1234567890ab', '2026-11-21T09:41', 'requests', 1),
    line('tokens:ffffffff-0003-7bbb-8ccc-1234567890ab', 'ever', 'tokens', 1200),
  ];
  const reserved = await ledger.reserve({ id, owner: 'bench', lines, leaseMs: 15_000, stub: STUB });
  const stub = { ...JSON.parse(STUB) };
  const ended = await ledger.finalize({ id, actual: ACTUAL, event: { id, stub } });
  if (reserved.answer !== 'RESERVED' || ended.answer !== 'FINALIZED') {
    throw new Error(`${reserved.answer}, ${ended.answer}: that is no pair`);
  }
}

function line(
  envelope: string,
  label: string,
  unit: ReserveLine['unit'],
  amount: number,
): ReserveLine {
  return { envelope, label, unit, amount, limit: 9_000_000_000_000, mode: 'block', version: 7 };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
