// The main job with the real client: a call goes through, is metered, booked and written down.

import { afterEach, beforeEach, expect, test } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';

let story: Story;
beforeEach(async () => {
  story = await startStory();
});
afterEach(() => story.end());

const ask = { model: 'scripted/model', messages: [{ role: 'user' as const, content: 'Hello?' }] };

test('a whole answer has its cost in its headers and in its row', async () => {
  story.upstream.plan(answering({ prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 }));
  const { data, response } = await story.openai.chat.completions.create(ask).withResponse();
  expect(data.choices[0]?.message.content).toBe('Hello there.');
  // 9 x 1 USD/M + 5 x 4 USD/M
  expect(response.headers.get('x-purser-cost-usd')).toBe('0.000029');
  expect(response.headers.get('x-purser-budget-remaining-usd')).toBe('99.999971');
  expect(response.headers.get('x-purser-budget-reserved-usd')).toBe('0.000000');
  const [row, ...others] = await story.rows();
  expect(others).toEqual([]);
  expect(row).toMatchObject({ tokens_in: 9, tokens_out: 5, cost_usd: '0.000029000' });
  expect(story.upstream.requests[0]?.body).toContain('"max_tokens":4096');
});

test('a stream passes unchanged, and its terminator says what it cost', async () => {
  const events = [
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"model","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}\n\n',
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"model","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n',
  ];
  const usage =
    'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"model","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}\n\n';
  story.upstream.plan({ body: `${events.join('')}${usage}data: [DONE]\n\n` });
  const response = await story.post({ ...ask, stream: true });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(await response.text()).toBe(
    `${events.join('')}: purser cost_usd=0.000017 remaining_usd=99.999983\ndata: [DONE]\n\n`,
  );
  const [row] = await story.rows();
  expect(row).toMatchObject({ tokens_in: 9, tokens_out: 2, cost_usd: '0.000017000' });
  expect(story.upstream.requests[0]?.body).toContain('"stream_options":{"include_usage":true}');
});

test('a client that asks for usage gets the usage event', async () => {
  const usage = '{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}';
  story.upstream.plan({
    body: `data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"model","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: {"id":"1","object":"chat.completion.chunk","created":1,"model":"model","choices":[],"usage":${usage}}\n\ndata: [DONE]\n\n`,
  });
  const stream = await story.openai.chat.completions.create({
    ...ask,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = '';
  let told: unknown;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    if (chunk.usage) told = chunk.usage;
  }
  expect(text).toBe('Hi');
  expect(told).toEqual(JSON.parse(usage));
});
