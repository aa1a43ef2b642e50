import { expect, test } from 'vitest';
import { NO_USAGE } from '#src/core/usage.js';
import { realClock } from '#src/drivers/clock.js';
import { createSettler, type SettleOptions, type Told } from '#src/flows/upkeep/settle.js';
import type { Unsettled } from '#src/stores/unsettled.js';
import { testLog } from '../../support/log.js';

const usage = { ...NO_USAGE, input: 10, output: 5, requests: 1 };
const event = {
  id: '0199aaaa-0000-7000-8000-000000000001',
  kind: 'base',
  lines: [
    { e: 'limit:a', l: 'ever', u: 'nano_usd', a: 30, o: 0 },
    { e: 'limit:b', l: 'ever', u: 'tokens', a: 15, o: 0 },
    { e: 'limit:c', l: 'ever', u: 'requests', a: 1, o: 0 },
  ],
  stub: { startedAtMs: 1 },
  reading: { provider: 'p', usage, costNanoUsd: 30, kept: { id: 'resp_1', as: 'response' } },
} as unknown as Unsettled['event'];

/** A settler whose queue and ledger write down what was asked of them. */
function settling(tells: Told[], options: Partial<SettleOptions> = {}) {
  const done: unknown[] = [];
  const adjusts: unknown[] = [];
  let attempts = 0;
  let waits = true;
  const settler = createSettler({
    calls: {
      claim: async () => {
        if (!waits) return [];
        attempts += 1;
        return [{ event, adjustId: 'adjust', attempts }];
      },
      settled: async () => {
        waits = false;
        done.push('settled');
      },
      later: async (_id, _error, afterMs) => void done.push(afterMs),
      waiting: async () => 0,
    },
    usage: { rows: async () => [] },
    ledger: {
      kind: 'memory',
      nowMs: () => 1_790_000_000_000,
      adjust: async (request) => {
        adjusts.push(request);
        return { answer: 'ADJUSTED', balances: [], seq: 1, epoch: 1, timeMs: 1 };
      },
    },
    spool: { ended: async () => {} },
    ask: async () => tells.shift() ?? { why: 'unknown' },
    clock: realClock,
    log: testLog(),
    everyMs: 1_000,
    ...options,
  });
  return { settler, done, adjusts };
}

test('a provider that does not know is asked three times, later each time, and no more', async () => {
  const { settler, done, adjusts } = settling([]);
  for (let round = 0; round < 5; round += 1) await settler.round();
  expect(done).toEqual([60_000, 240_000, 'settled']);
  expect(adjusts).toEqual([]);
});

test('a provider that cannot be asked is asked once', async () => {
  const { settler, done } = settling([{ why: 'never' }]);
  await settler.round();
  expect(done).toEqual(['settled']);
});

test('what the count was off by is booked on every line of its unit, downwards too', async () => {
  const less = { usage: { ...usage, output: 2 }, costNanoUsd: 18 };
  const { settler, done, adjusts } = settling([{ why: 'unknown' }, less]);
  await settler.round();
  await settler.round();
  expect(done).toEqual([60_000, 'settled']);
  expect(adjusts).toMatchObject([
    {
      id: 'adjust',
      lines: [
        { envelope: 'limit:a', amount: -12 },
        { envelope: 'limit:b', amount: -3 },
        { envelope: 'limit:c', amount: 0 },
      ],
      event: { kind: 'reconciled', reading: { usageSource: 'reconciled', corrects: usage } },
    },
  ]);
});

test('a correction that has its row is not booked again', async () => {
  const rows = async () => [{ kind: 'reconciled', outcome: 'completed', lines: [] }] as never;
  const { settler, done, adjusts } = settling([{ usage, costNanoUsd: 30 }], { usage: { rows } });
  await settler.round();
  expect(done).toEqual(['settled']);
  expect(adjusts).toEqual([]);
});

test.each([
  ['redis', 'written'],
  ['memory', 'fsync'],
] as const)('a correction booked on %s is in the spool too, %s', async (kind, durability) => {
  const kept: unknown[] = [];
  const booked = { ...event, kind: 'reconciled', seq: 7, epoch: 1, atMs: 1 } as const;
  const answer = 'ADJUSTED' as const;
  const { settler } = settling([{ usage, costNanoUsd: 18 }], {
    ledger: {
      kind,
      nowMs: () => 1,
      adjust: async () => ({ answer, balances: [], seq: 7, epoch: 1, timeMs: 1, event: booked }),
    },
    spool: { ended: async (...told) => void kept.push(told) },
  });
  await settler.round();
  expect(kept).toEqual([[booked, durability]]);
});
