// The other wire formats take the same path: held, metered, booked, written down.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Story, startStory } from '../support/gateway.js';

let story: Story;
beforeAll(async () => {
  story = await startStory({
    config: {
      prices: {
        'claude/model': { input: 1, output: 4 },
        'scripted/model': { input: 1, output: 4 },
      },
    },
    dialects: { claude: 'anthropic' },
  });
});
afterAll(() => story.end());

const send = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${story.url}${path}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${story.key}`,
      ...headers,
    },
    body: JSON.stringify(body),
  });

const sse = (events: readonly object[]) =>
  events
    .map(
      (event) => `event: ${(event as { type: string }).type}\ndata: ${JSON.stringify(event)}\n\n`,
    )
    .join('');

test('a stream of messages passes, and its usage is read from both its ends', async () => {
  const events = [
    {
      type: 'message_start',
      message: {
        id: 'm',
        type: 'message',
        role: 'assistant',
        model: 'model',
        content: [],
        usage: { input_tokens: 11, output_tokens: 1 },
      },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 5 } },
  ];
  story.upstream.enqueue({ body: sse([...events, { type: 'message_stop' }]) });
  const response = await send('/v1/messages', {
    model: 'claude/model',
    max_tokens: 64,
    stream: true,
    messages: [{ role: 'user', content: 'Hi' }],
  });
  expect(response.status).toBe(200);
  const text = await response.text();
  expect(text.startsWith(sse(events))).toBe(true);
  // 11 x 1 + 5 x 4
  expect(text.slice(sse(events).length)).toContain('purser cost_usd=0.000031');
  expect(text.trimEnd().endsWith('data: {"type":"message_stop"}')).toBe(true);
  const request = story.upstream.requests.at(-1);
  expect(request?.path).toBe('/claude/v1/messages');
  expect(request?.headers['anthropic-version']).toBe('2023-06-01');
  expect((await story.rows()).at(-1)).toMatchObject({ tokens_in: 11, tokens_out: 5 });
});

test('an error of a messages door has the envelope of messages', async () => {
  const response = await send('/v1/messages', {
    model: 'scripted/model',
    max_tokens: 5,
    messages: [{ role: 'user', content: 'Hi' }],
  });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({
    type: 'error',
    error: { type: 'not_found_error' },
  });
});

test('a response in one piece is booked, reasoning and all', async () => {
  story.upstream.enqueue({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      id: 'resp_1',
      object: 'response',
      status: 'completed',
      model: 'model',
      output: [
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] },
      ],
      usage: {
        input_tokens: 20,
        output_tokens: 9,
        output_tokens_details: { reasoning_tokens: 4 },
        total_tokens: 29,
      },
    }),
  });
  const response = await send('/v1/responses', { model: 'scripted/model', input: 'Hi' });
  expect(response.status).toBe(200);
  expect(response.headers.get('x-purser-cost-usd')).toBe('0.000056');
  expect(story.upstream.requests.at(-1)?.body).toContain('"max_output_tokens":4096');
  expect((await story.rows()).at(-1)).toMatchObject({ tokens_in: 20, tokens_out: 9 });
});

test('embeddings cost their input', async () => {
  story.upstream.enqueue({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      object: 'list',
      data: [],
      model: 'model',
      usage: { prompt_tokens: 7, total_tokens: 7 },
    }),
  });
  const response = await send('/v1/embeddings', { model: 'scripted/model', input: 'Hi' });
  expect(response.status).toBe(200);
  expect(response.headers.get('x-purser-cost-usd')).toBe('0.000007');
  expect(story.upstream.requests.at(-1)?.body).not.toContain('max_tokens');
});

test('a legacy completion passes', async () => {
  story.upstream.enqueue({
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      object: 'text_completion',
      choices: [{ index: 0, text: 'Hi', finish_reason: 'stop' }],
      model: 'model',
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    }),
  });
  const response = await send('/v1/completions', { model: 'scripted/model', prompt: 'Hi' });
  expect(response.headers.get('x-purser-cost-usd')).toBe('0.000011');
});

test('tokens are counted by the provider, and nobody is billed', async () => {
  const before = (await story.rows()).length;
  story.upstream.enqueue({
    headers: { 'content-type': 'application/json' },
    body: '{"input_tokens":12}',
  });
  const response = await send('/v1/messages/count_tokens', {
    model: 'claude/model',
    messages: [{ role: 'user', content: 'Hi' }],
  });
  expect(await response.json()).toEqual({ input_tokens: 12 });
  expect(story.upstream.requests.at(-1)?.path).toBe('/claude/v1/messages/count_tokens');
  expect((await story.rows()).length).toBe(before);
});
