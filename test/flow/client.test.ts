// The real openai client against the whole gateway: what it asks for reaches the provider, what it
// reads is what the provider said, and every refusal is one that it understands.

import OpenAI, { type APIError } from 'openai';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { chunk, DONE, delta } from '../support/chat-events.js';
import { answering, type Story, startStory, wholeAnswer } from '../support/gateway.js';

let story: Story;
let agentsMade = 0;
beforeAll(async () => {
  story = await startStory({
    database: 'postgres',
    config: { models: { fast: ['scripted/model'] } },
    limits: [{ scope: 'global', amount_usd: 100, period: 'monthly' }],
  });
});
afterAll(() => story.end());
beforeEach(() => story.upstream.plan(answering(USAGE)));

const USAGE = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
const ask = { model: 'scripted/model', messages: [{ role: 'user' as const, content: 'Hello?' }] };

/** A client with a key of its own that counts its requests. */
function counting(apiKey: string) {
  const sent: Response[] = [];
  const client = new OpenAI({
    apiKey,
    baseURL: `${story.url}/v1`,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      sent.push(response);
      return response;
    },
  });
  return { client, sent };
}

async function agentKey(more: object = {}): Promise<{ id: string; key: string; agent: string }> {
  agentsMade += 1;
  const name = `agent-${agentsMade}`;
  const made = await story.admin('POST', '/agents', { name, type: 'coder' });
  const agent = ((await made.json()) as { id: string }).id;
  const body = { name, kind: 'agent', agent_id: agent, ...more };
  const answer = await story.admin('POST', '/keys', body);
  expect(answer.status).toBe(201);
  return { ...((await answer.json()) as { id: string; key: string }), agent };
}

async function limitFor(agent: string, more: object): Promise<void> {
  const limit = { scope_type: 'agent', scope_id: agent, action_on_exceed: 'block', ...more };
  const answer = await story.admin('POST', '/limits', limit);
  expect(answer.status).toBe(201);
}

async function failureOf(call: Promise<unknown>): Promise<APIError> {
  return call.then(
    () => expect.fail('the call was answered'),
    (error: APIError) => error,
  );
}

test('tools reach the provider as they were sent, and streamed tool calls the client', async () => {
  const pieces = ['{"city":', '"Köln"', '}'];
  const calls = pieces.map((text, i) => ({
    index: 0,
    ...(i === 0 ? { id: 'call_1', type: 'function' } : {}),
    function: { ...(i === 0 ? { name: 'weather' } : {}), arguments: text },
  }));
  const usage = chunk([], { usage: USAGE });
  const [first, ...rest] = calls.map((call) => ({ tool_calls: [call] }));
  const body = [{ role: 'assistant', ...first }, ...rest].map((one) => delta(one)).join('');
  story.upstream.plan({
    body: `${body}${delta({}, 0, 'tool_calls')}${usage}${DONE}`,
    cuts: { seed: 5, count: 30 },
  });
  const tools = [
    {
      type: 'function' as const,
      function: { name: 'weather', parameters: { type: 'object', properties: { city: {} } } },
    },
  ];
  const runner = story.openai.chat.completions.stream({ ...ask, tools, tool_choice: 'auto' });
  const message = await runner.finalMessage();
  expect(message.tool_calls?.[0]).toMatchObject({
    id: 'call_1',
    function: { name: 'weather', arguments: '{"city":"Köln"}' },
  });
  const sent = JSON.parse(story.upstream.requests.at(-1)!.body);
  expect(sent).toMatchObject({ tools, tool_choice: 'auto' });
  expect((await story.rows()).at(-1)).toMatchObject({ tokens_in: 9, tokens_out: 5 });
});

test('two answers to one question are held for twice and both arrive', async () => {
  const body = [
    delta({ content: 'A' }, 0),
    delta({ content: 'B' }, 1),
    delta({}, 1, 'stop'),
    delta({}, 0, 'stop'),
    chunk([], { usage: { prompt_tokens: 9, completion_tokens: 8, total_tokens: 17 } }),
    DONE,
  ].join('');
  story.upstream.plan({ body });
  const request = { ...ask, n: 2, max_tokens: 100 };
  const [one, two] = await Promise.all([
    story.openai.chat.completions.create({ ...request, stream: true }).withResponse(),
    story.openai.chat.completions.create({ ...request, n: 1, stream: true }).withResponse(),
  ]);
  const texts = ['', ''];
  for await (const { choices } of one.data) {
    for (const choice of choices) texts[choice.index] += choice.delta.content ?? '';
  }
  expect(texts).toEqual(['A', 'B']);
  for await (const _ of two.data);
  const held = [one, two].map(({ response }) => Number(response.headers.get('x-purser-held-usd')));
  // One more answer of at most 100 tokens, at 4 USD a million.
  expect(held[0]! - held[1]!).toBeCloseTo(0.0004, 9);
});

test('a client that aborts a stream ends it upstream, and pays for what had passed', async () => {
  const words = Array.from({ length: 200 }, (_, i) => delta({ content: `word ${i} ` })).join('');
  story.upstream.plan({ body: words, cuts: { seed: 1, count: 100 }, paceMs: 5 });
  const before = (await story.rows()).length;
  const stream = await story.openai.chat.completions.create({ ...ask, stream: true });
  let chunks = 0;
  for await (const _ of stream) {
    chunks += 1;
    if (chunks === 5) stream.controller.abort();
  }
  const request = await story.upstream.closed(story.upstream.requests.length - 1);
  expect(request.complete).toBe(false);
  await expect.poll(async () => (await story.rows()).length).toBe(before + 1);
  const row = (await story.rows()).at(-1)!;
  expect(row).toMatchObject({ outcome: 'client_left' });
  expect(row.usage_source).not.toBe('provider');
  expect(Number(row.tokens_in)).toBeGreaterThan(0);
  expect(Number(row.tokens_out)).toBeGreaterThanOrEqual(10);
});

test('usage is asked of every stream, and told to those who asked for it', async () => {
  const end = `${delta({ content: 'Hi' }, 0, 'stop')}${chunk([], { usage: USAGE })}${DONE}`;
  story.upstream.plan({ body: end });
  for (const include_usage of [true, false, undefined]) {
    const stream = await story.openai.chat.completions.create({
      ...ask,
      stream: true,
      ...(include_usage === undefined ? {} : { stream_options: { include_usage } }),
    });
    const told: unknown[] = [];
    for await (const { usage } of stream) if (usage) told.push(usage);
    expect(told).toEqual(include_usage ? [USAGE] : []);
    const sent = JSON.parse(story.upstream.requests.at(-1)!.body);
    expect(sent.stream_options).toEqual({ include_usage: true });
    expect((await story.rows()).at(-1)).toMatchObject({ tokens_in: 9, usage_source: 'provider' });
  }
});

test('models that the key may use are listed, and others are not', async () => {
  const ids: string[] = [];
  for await (const model of story.openai.models.list()) ids.push(model.id);
  expect(ids).toContain('fast');
  expect(await story.openai.models.retrieve('fast')).toMatchObject({ object: 'model' });
  const { client } = counting((await agentKey({ allowed_models: ['slow*'] })).key);
  expect((await client.models.list()).data).toEqual([]);
  expect(await failureOf(client.models.retrieve('fast'))).toMatchObject({
    status: 404,
    code: 'model_not_found',
  });
});

test('a name of the configuration goes to its target', async () => {
  await story.openai.chat.completions.create({ ...ask, model: 'fast' });
  expect(story.upstream.requests.at(-1)).toMatchObject({ path: '/scripted/v1/chat/completions' });
  expect(story.upstream.requests.at(-1)?.model).toBe('model');
});

test('a refusal for the budget is one request, and says which budget and until when', async () => {
  const { key, agent } = await agentKey();
  await limitFor(agent, { amount_usd: '0.000001', period: 'daily' });
  const { client, sent } = counting(key);
  for (const stream of [false, true]) {
    const error = await failureOf(
      client.chat.completions.create({ ...ask, stream }) as Promise<unknown>,
    );
    expect(error).toMatchObject({
      status: 402,
      code: 'request_exceeds_budget',
      type: 'insufficient_quota',
    });
    expect(error.headers?.get('x-should-retry')).toBe('false');
    const { metadata } = error.error as { metadata: Record<string, unknown> };
    expect(metadata).toMatchObject({ unit: 'usd', limit: '0.000001', spent: '0.000000' });
    expect(Date.parse(String(metadata.resets_at))).toBeGreaterThan(Date.now());
    expect(metadata.reservation_id).toBe(error.headers?.get('x-purser-reservation-id'));
  }
  expect(sent).toHaveLength(2);
});

test('keys that are wrong, revoked, of an operator or of another model are told apart', async () => {
  const revoked = await agentKey();
  await story.admin('POST', `/keys/${revoked.id}/revoke`, {});
  const expired = await agentKey({ expires_at: new Date(Date.now() - 1000).toISOString() });
  const narrow = await agentKey({ allowed_models: ['other/*'] });
  const disabled = await agentKey();
  await story.admin('PATCH', `/keys/${disabled.id}`, { disabled: true });
  const cases = [
    ['sk-purser-nonsense', 401, 'invalid_api_key'],
    [revoked.key, 401, 'key_revoked'],
    [expired.key, 401, 'key_expired'],
    [disabled.key, 401, 'key_disabled'],
    [story.adminKey, 403, 'insufficient_permissions'],
    [narrow.key, 403, 'model_not_allowed'],
  ] as const;
  const before = story.upstream.requests.length;
  for (const [key, status, code] of cases) {
    const { client, sent } = counting(key);
    expect(await failureOf(client.chat.completions.create(ask)), code).toMatchObject({
      status,
      code,
    });
    expect(sent, code).toHaveLength(1);
  }
  expect(story.upstream.requests.length).toBe(before);
});

test('what cannot be asked for is refused by name', async () => {
  const { client, sent } = counting(story.key);
  const create = (body: object) =>
    failureOf(client.chat.completions.create({ ...ask, ...body }) as Promise<unknown>);
  expect(await create({ model: 'fsat' })).toMatchObject({
    status: 404,
    code: 'model_not_found',
    param: 'model',
    message: expect.stringContaining('Did you mean "fast"?'),
  });
  expect(await create({ n: 0 })).toMatchObject({ status: 400, code: 'invalid_value', param: 'n' });
  expect(await create({ model: 'scripted/unpriced' })).toMatchObject({
    status: 400,
    code: 'model_not_priced',
    param: 'model',
  });
  expect(await create({ messages: [] })).toMatchObject({ status: 400, param: 'messages' });
  expect(sent).toHaveLength(4);
});

test('requests over the rate are 429 with the rate in headers, and nothing is forwarded', async () => {
  const { key, agent } = await agentKey();
  await limitFor(agent, { amount_requests: 2, period: 'hourly' });
  const { client } = counting(key);
  for (const left of ['1', '0']) {
    const { response } = await client.chat.completions.create(ask).withResponse();
    expect(response.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe(left);
    expect(response.headers.get('x-ratelimit-reset-requests')).toMatch(/^(\d+m)?\d+(s|ms)$/);
  }
  const before = story.upstream.requests.length;
  const error = await failureOf(client.chat.completions.create(ask, { maxRetries: 0 }));
  expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
  expect(error.message).not.toContain('exceeded your current quota');
  expect(Number(error.headers?.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(error.headers?.get('retry-after-ms'))).toBeLessThanOrEqual(3_600_000);
  expect(error.headers?.get('x-ratelimit-remaining-requests')).toBe('0');
  expect(error.headers?.get('x-should-retry')).toBe(null);
  expect(story.upstream.requests.length).toBe(before);
});

test('calls at once over the limit are 429, and there is room again when one has ended', async () => {
  const { key, agent } = await agentKey();
  await limitFor(agent, { amount_concurrency: 1, period: 'ever' });
  const { client } = counting(key);
  const headers = { 'content-type': 'application/json' };
  story.upstream.enqueue({ headers, body: wholeAnswer(USAGE), hold: true });
  const received = story.upstream.requests.length + 1;
  const running = client.chat.completions.create(ask);
  await story.upstream.received(received);
  const error = await failureOf(client.chat.completions.create(ask, { maxRetries: 0 }));
  expect(error).toMatchObject({ status: 429, code: 'concurrency_limit' });
  expect(error.headers?.get('retry-after')).toBe('2');
  story.upstream.release();
  await running;
  await client.chat.completions.create(ask, { maxRetries: 0 });
});
