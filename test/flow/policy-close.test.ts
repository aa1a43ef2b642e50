// A day ends while a call is under way, and two closers watch: the call stays in the day in which
// it was held, the new one begins with all of its money, and the old one is closed and told once.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import type { Clock } from '#src/core/clock.js';
import { realClock } from '#src/drivers/clock.js';
import { createCloser } from '#src/flows/upkeep/close.js';
import { createBudgetPeriods } from '#src/stores/budget-periods.js';
import { openDirectory } from '#src/stores/directory.js';
import { QUIET } from '../support/edge.js';
import { answering, type Story, startStory } from '../support/gateway.js';
import { ASK, call } from '../support/policy.js';

vi.setConfig({ testTimeout: 60_000 });

let story: Story;
afterEach(() => story.end());

test('a day is closed once by two closers, when its last call has ended, and told once', async () => {
  const told: { type: string; data: Record<string, unknown> }[] = [];
  const receiver = createServer(async (request, response) => {
    let text = '';
    for await (const bytes of request) text += bytes;
    told.push(JSON.parse(text));
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;

  // Half a minute before midnight in Kolkata, and as much after it.
  const startMs = Date.parse('2026-11-21T18:29:30Z');
  let shiftMs = startMs - Date.now();
  const clock: Clock = {
    ...realClock,
    nowMs: () => Date.now() + shiftMs,
    // What is done twice a minute is done twice a second here.
    every: (everyMs, tick) => realClock.every(Math.min(everyMs, 500), tick),
  };
  const usd = { amount_usd: '0.001', period: 'daily', time_zone: 'Asia/Kolkata' };
  story = await startStory({
    clock,
    limits: [{ scope: 'global', name: 'day', ...usd }],
    config: {
      ledger: { lease_ms: 300_000, beat_ms: 200, reap_ms: 200 },
      notices: {
        webhooks: [
          { url: hook, secret: 'c2VjcmV0IG9mIGJvdGggc2lkZXM=', events: ['budget.period_closed'] },
        ],
      },
    },
  });
  const { gateway, database, upstream } = story;
  // 100 x 1 USD/M + 20 x 4 USD/M = 0.00018 USD
  const plan = answering({ prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 });
  upstream.plan(plan);
  expect(await call(story)).toBe(200);
  upstream.enqueue({ ...plan, hold: true });
  const passing = story.post(ASK);
  await upstream.received(2);

  const directory = await openDirectory({ database, clock, log: QUIET });
  const second = createCloser({
    ...{ periods: createBudgetPeriods(database), ledger: gateway.ledger, clock, log: QUIET },
    ...{ snapshot: directory.snapshot, everyMs: 100 },
  });
  second.start();
  const spent = async () => {
    const { data } = await story.openai.get<{ data: { spent: string }[] }>('/budget');
    return data[0]?.spent;
  };
  const periods = () =>
    database.query<{ state: string }>(
      `select label, state, committed::float8 as committed, late_amount::float8 as late
       from budget_periods`,
    );
  expect(await spent()).toBe('0.000180');
  await gateway.drained();
  await second.round();
  expect(await periods(), 'the day is not over').toEqual([]);

  shiftMs += 60_000;
  expect(await spent(), 'a new day').toBe('0.000000');
  await vi.waitUntil(async () => (await periods()).length > 0, 20_000);
  await second.round();
  const day = { label: '2026-11-21', committed: 180_000, late: 0 };
  expect(await periods()).toEqual([{ ...day, state: 'provisional' }]);
  expect(await call(story), 'the new day has its own money').toBe(200);
  upstream.release();
  expect((await passing).status).toBe(200);
  await gateway.drained();
  await vi.waitUntil(async () => (await periods())[0]?.state === 'final', 20_000);
  expect(await periods()).toEqual([{ ...day, committed: 360_000, state: 'final' }]);
  await vi.waitUntil(() => told.length > 0, 20_000);
  await second.round();
  await second.stop();
  await directory.close();
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ data: { scope: 'day', label: '2026-11-21', spent: 360_000 } });
  const notes = await database.query(`select type from notifications`);
  expect(notes).toEqual([{ type: 'budget.period_closed' }]);
  await new Promise((resolve) => receiver.close(resolve));
});
