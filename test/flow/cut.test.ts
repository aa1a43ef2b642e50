// When the money ends a stream is cut, cleanly, within one event of the room that there was; and
// never while more would be granted.

import { afterEach, expect, test } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';
import type { UpstreamPlan } from '../support/scripted-upstream.js';

let story: Story;
afterEach(() => story.end());

const words = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    id: '1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'model',
    choices: [{ index: 0, delta: { content: ` word${index}` }, finish_reason: null }],
  }));

const stream = (count: number, options: Pick<UpstreamPlan, 'cuts'> = {}): UpstreamPlan => ({
  body: `${words(count)
    .map((event) => `data: ${JSON.stringify(event)}\n\n`)
    .join(
      '',
    )}data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`,
  ...options,
});

const ask = {
  model: 'scripted/model',
  max_tokens: 100_000,
  stream: true,
  messages: [{ role: 'user', content: 'x' }],
};

// 4 USD a million tokens of output: 0.004 USD are 1,000 tokens.
test('a stream is cut where the budget ends, with a proper ending', async () => {
  story = await startStory({
    limits: [{ scope: 'global', amount_usd: '0.004', period: 'monthly' }],
  });
  story.upstream.plan(stream(3_000, { cuts: { seed: 7, count: 400 } }));
  const response = await story.post(ask);
  expect(response.status).toBe(200);
  const text = await response.text();
  const events = text
    .split('\n\n')
    .filter((block) => block.startsWith('data: {'))
    .map((block) => JSON.parse(block.slice(6)));
  const last = events.at(-1);
  expect(last.choices[0].finish_reason).toBe('length');
  expect(last.purser.terminated_by).toBe('budget');
  expect(text.trimEnd().endsWith('data: [DONE]')).toBe(true);
  const [row] = await story.rows();
  expect(row).toMatchObject({ outcome: 'cut_by_budget', usage_source: 'estimated' });
  // Within one event (2 tokens, 8 nano-thousandths) of the room, on both sides.
  const cost = Number(row?.cost_usd);
  expect(cost).toBeGreaterThan(0.004 - 0.00002);
  expect(cost).toBeLessThan(0.004 + 0.00002);
});

test('a stream is not cut while more is granted', async () => {
  story = await startStory({ limits: [{ scope: 'global', amount_usd: '1', period: 'monthly' }] });
  story.upstream.plan(stream(3_000, { cuts: { seed: 9, count: 200 } }));
  const text = await (await story.post(ask)).text();
  expect(text).toContain('word2999');
  const [row] = await story.rows();
  expect(row).toMatchObject({ outcome: 'completed' });
});

test('x-purser-max-cost-usd bounds one call, and refuses what cannot begin', async () => {
  story = await startStory();
  story.upstream.plan(stream(10));
  const bounded = await story.post(ask, { 'x-purser-max-cost-usd': '0.001' });
  await bounded.text();
  const tokens = Number(bounded.headers.get('x-purser-max-tokens-applied'));
  expect(tokens).toBeGreaterThan(200);
  expect(tokens).toBeLessThanOrEqual(250);
  expect(story.upstream.requests[0]?.body).toContain(`"max_tokens":${tokens}`);
  const refused = await story.post(ask, { 'x-purser-max-cost-usd': '0.000001' });
  expect(refused.status).toBe(402);
  expect(await refused.json()).toMatchObject({ error: { code: 'request_exceeds_budget' } });
});

test('where the configuration says so a shorter answer that fits is asked for', async () => {
  story = await startStory({
    limits: [{ scope: 'global', amount_usd: '0.004', period: 'monthly' }],
    config: { on_tight: 'shrink', compat: { litellm_headers: true } },
  });
  story.upstream.plan(answering({ prompt_tokens: 8, completion_tokens: 5, total_tokens: 13 }));
  const response = await story.post({ ...ask, stream: false });
  expect(response.status).toBe(200);
  const tokens = Number(response.headers.get('x-purser-max-tokens-applied'));
  expect(tokens).toBeGreaterThan(950);
  expect(tokens).toBeLessThanOrEqual(1_000);
  expect(story.upstream.requests[0]?.body).toContain(`"max_tokens":${tokens}`);
  expect(response.headers.get('x-litellm-response-cost')).toBe('0.000028');
});
