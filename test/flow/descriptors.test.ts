// Hundreds of calls that end in every way leave no descriptor open behind them.

import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DONE, FINISH, usageChunk, words } from '../support/chat-events.js';
import { answering, type Story, startStory } from '../support/gateway.js';
import type { UpstreamPlan } from '../support/scripted-upstream.js';

const USAGE = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
const AT_ONCE = 10;
const CALLS = 300;

let story: Story;
beforeAll(async () => {
  story = await startStory({
    database: 'postgres',
    config: {
      timeouts: { first_byte_ms: 300, answer_ms: 300, idle_ms: 300, left_ms: 100 },
      breaker: { failures: 1000 },
    },
  });
});
afterAll(() => story.end());

type Leave = 'at once' | 'in the middle' | undefined;
const whole = words(5) + FINISH + usageChunk(USAGE) + DONE;
const KINDS: { stream: boolean; plan: UpstreamPlan; leave?: Leave }[] = [
  { stream: false, plan: answering(USAGE) },
  { stream: true, plan: { body: whole, cuts: { seed: 1, count: 5 } } },
  { stream: true, plan: { body: whole, dieAt: 100, dieBy: 'reset' } },
  { stream: true, plan: { body: whole, dieAt: 900, dieBy: 'fin' } },
  { stream: false, plan: { status: 400, body: '{}' } },
  { stream: false, plan: { status: 500, body: '{}' } },
  { stream: true, plan: { silent: true } },
  { stream: true, plan: { body: whole, stallAt: 900 } },
  { stream: true, plan: { body: whole, stallAt: 900 }, leave: 'in the middle' },
  { stream: false, plan: { silent: true }, leave: 'at once' },
];

/** On a connection of its own, which ends with it. */
function call(kind: (typeof KINDS)[number]): Promise<void> {
  const { stream, leave } = kind;
  const model = `scripted/model`;
  const body = JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Hello?' }] });
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${story.key}`, 'content-type': 'application/json' };
    const options = { method: 'POST', agent: false, headers } as const;
    const sent = request(`${story.url}/v1/chat/completions`, options, (response) => {
      response.on('error', () => undefined);
      response.on('data', () => leave === 'in the middle' && sent.destroy());
      response.resume();
    });
    sent.on('error', () => undefined);
    sent.on('close', () => resolve());
    sent.end(body, () => leave === 'at once' && setImmediate(() => sent.destroy()));
  });
}

/** Calls of every kind, so many at once. */
async function traffic(calls: number): Promise<void> {
  let next = 0;
  const line = async () => {
    while (next < calls) {
      const kind = KINDS[next % KINDS.length]!;
      next += 1;
      story.upstream.enqueue(kind.plan);
      await call(kind);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, line));
  await expect
    .poll(async () => (await story.gateway.ledger.state()).held, { timeout: 5000 })
    .toBe(0);
}

const descriptors = () => readdirSync('/proc/self/fd').length;

test(`${CALLS} calls that end in every way leave no descriptor open`, {
  timeout: 60_000,
}, async () => {
  await traffic(AT_ONCE * KINDS.length);
  await story.rows();
  const before = descriptors();
  await traffic(CALLS);
  await story.rows();
  await expect.poll(descriptors, { timeout: 5000 }).toBeLessThanOrEqual(before + 5);
});
