// Limits as organisations mean them, with the real client: models and providers, dimensions of a
// key, raises, templates, the dry run, the stop for all calls.

import { APIError } from 'openai';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { answering, type Story, type StoryOptions, startStory } from '../support/gateway.js';

let story: Story;
afterEach(() => story.end());

const ask = { model: 'scripted/model', messages: [{ role: 'user' as const, content: 'Hello?' }] };
const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

async function start(options: StoryOptions): Promise<void> {
  story = await startStory(options);
  story.upstream.plan(answering(USAGE));
}

/** What the real client got: `200`, or the status and the code of its error. */
async function call(body: object = {}, headers: Record<string, string> = {}): Promise<unknown> {
  try {
    const request = { ...ask, max_tokens: 5, ...body };
    const options = { headers, maxRetries: 0 };
    await story.openai.chat.completions.create(request, options).asResponse();
    return 200;
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return [error.status, error.code];
  }
}

async function admin<T = Record<string, unknown>>(
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await story.admin(method, path, body);
  const json = (await answer.json()) as T;
  expect(answer.status, JSON.stringify(json)).toBeLessThan(300);
  return json;
}

async function agentKey(): Promise<string> {
  const { data } = await admin<{ data: { id: string; kind: string }[] }>('GET', '/keys');
  return data.find((key) => key.kind === 'agent')!.id;
}

vi.setConfig({ testTimeout: 60_000 });

describe('limits of models and providers', () => {
  test('are held by whatever name the client calls the model', async () => {
    await start({
      limits: [
        { scope: 'model', model: 'model', amount_requests: 1, period: 'daily' },
        { scope: 'provider', provider: 'other', amount_requests: 0, period: 'daily' },
        { scope: 'provider', provider: '*', amount_tokens: 100, period: 'daily' },
      ],
      providers: ['other'],
      config: { models: { fast: 'scripted/model' } },
    });
    expect(await call({ model: 'fast' })).toBe(200);
    expect(await call({ model: 'scripted/model' })).toEqual([402, 'budget_exceeded']);
    expect(await call({ model: 'other/model' })).toEqual([402, 'request_exceeds_budget']);
    const [row] = await story.rows();
    const lines = row!.lines as { e: string; a: number }[];
    expect(lines.map(({ e, a }) => [e.split(':')[2] ?? 'fixed', a]).sort()).toEqual([
      ['fixed', 1],
      ['scripted', 15],
    ]);
  });
});

describe('the dimensions of a key', () => {
  test('what is fixed cannot be changed, what is required must be said', async () => {
    await start({
      limits: [{ scope: 'person', person: '*', amount_requests: 2, period: 'daily' }],
    });
    const at = `/keys/${await agentKey()}`;
    await admin('PATCH', at, { fixed_dimensions: { person: 'ada', tags: { team: 'core' } } });
    expect(await call({}, { 'x-purser-person': 'bob' })).toEqual([403, 'dimension_fixed']);
    expect(await call({}, { 'x-purser-tags': 'team=web' })).toEqual([403, 'dimension_fixed']);
    expect(await call({}, { 'x-purser-tags': 'city=ulm' })).toBe(200);
    expect(await call({}, { 'x-purser-person': 'ada' })).toBe(200);
    expect(await call()).toEqual([402, 'budget_exceeded']);

    await admin('PATCH', at, { fixed_dimensions: {}, required_dimensions: ['task'] });
    expect(await call()).toEqual([403, 'dimension_required']);
    expect(await call({}, { 'x-purser-task-id': 't1' })).toBe(200);
    const models = await story.openai.models.list();
    expect(models.data.length, 'what is no call needs no task').toBeGreaterThan(0);

    await admin('PATCH', at, { required_dimensions: [], allowed_dimensions: ['task'] });
    expect(await call({}, { 'x-purser-person': 'ada' }), 'not heard').toBe(200);
    const rows = await story.rows();
    expect(rows.map((row) => row.attribution)).toMatchObject([
      { person: 'ada' },
      { person: 'ada' },
      { task: 't1' },
      {},
    ]);
    expect(rows.map((row) => row.tags)).toEqual([
      { city: 'ulm', team: 'core' },
      { team: 'core' },
      {},
      {},
    ]);
    expect((rows[3]!.attribution as { person?: string }).person).toBeUndefined();
  });
});

describe('limits that change', () => {
  test('a raise holds until its end and then no more; a lower limit at once', async () => {
    await start({ limits: [] });
    const limit = await admin('POST', '/limits', {
      scope_type: 'global',
      amount_requests: 1,
      period: 'ever',
    });
    const at = `/limits/${limit.id}`;
    expect(await call()).toBe(200);
    expect(await call()).toEqual([402, 'budget_exceeded']);
    const until = Date.now() + 1_500;
    const raise = { raise_amount: 3, raise_until: new Date(until).toISOString() };
    expect(await admin('PATCH', at, raise)).toMatchObject({ raise_amount: '3' });
    expect(await call()).toBe(200);
    while (Date.now() <= until) await new Promise((done) => setTimeout(done, 100));
    expect(await call(), 'the raise is over').toEqual([402, 'budget_exceeded']);
    await admin('PATCH', at, { amount_requests: 3 });
    expect(await call()).toBe(200);
    await admin('PATCH', at, { amount_requests: 0 });
    expect(await call()).toEqual([402, 'request_exceeds_budget']);
    await admin('PATCH', at, { action_on_exceed: 'warn' });
    expect(await call()).toBe(200);
    await admin('PATCH', at, { action_on_exceed: 'block' });
    expect(await call()).toEqual([402, 'request_exceeds_budget']);
    await admin('DELETE', at);
    expect(await call()).toBe(200);
  });

  test('what could not be held is refused with its reason', async () => {
    await start({ limits: [] });
    const post = async (body: object) => {
      const answer = await story.admin('POST', '/limits', { period: 'daily', ...body });
      const { error } = (await answer.json()) as { error?: { param: string } };
      return [answer.status, error?.param];
    };
    const amount = { amount_usd: 1 };
    expect(await post({ scope_type: 'tag', scope_key: '*', ...amount })).toEqual([
      400,
      'scope_key',
    ]);
    expect(await post({ scope_type: 'user', scope_key: 'ada', ...amount })).toEqual([
      400,
      'scope_key',
    ]);
    expect(await post({ scope_type: 'key', scope_key: 'k', ...amount })).toEqual([
      400,
      'scope_key',
    ]);
    for (const amount_usd of ['NaN', 'Infinity', -1, '1e3', '9007200']) {
      expect(await post({ scope_type: 'global', amount_usd })).toEqual([400, 'amount_usd']);
    }
    const past = new Date(0).toISOString();
    const raise = { scope_type: 'global', ...amount };
    expect(await post({ ...raise, raise_amount: 2 })).toEqual([400, 'raise_amount']);
    expect(await post({ ...raise, raise_amount: 2, raise_until: past })).toEqual([
      400,
      'raise_until',
    ]);
    expect(await post({ ...raise, raise_amount: '0.5', raise_until: past })).toEqual([
      400,
      'raise_amount',
    ]);
  });
});

describe('a dry run', () => {
  test('refuses nothing and tells what would have been refused', async () => {
    await start({
      limits: [
        { scope: 'global', amount_requests: 1, period: 'daily', name: 'few' },
        { scope: 'agent', agent: 'coder-1', amount_requests: 9, period: 'daily', name: 'many' },
      ],
      config: { mode: 'dry' },
    });
    const first = await story.post({ ...ask, max_tokens: 5 });
    expect(first.headers.get('x-purser-would-refuse')).toBeNull();
    const second = await story.post({ ...ask, max_tokens: 5 });
    expect(second.status).toBe(200);
    expect(second.headers.get('x-purser-would-refuse')).toMatch(
      /^budget_exceeded; envelope="limit:/,
    );
    const rows = await story.rows();
    expect(rows.map((row) => (row.lines as unknown[]).length)).toEqual([2, 1]);
  });
});

describe('the stop for all calls', () => {
  test('holds from the answer of the door on, and until it is lifted; 429 where asked for', async () => {
    await start({
      limits: [{ scope: 'global', amount_requests: 1, period: 'daily' }],
      config: { limits_exceeded_status: 429 },
    });
    await admin('POST', '/stop', { reason: 'a key has leaked' });
    expect(await call()).toEqual([503, 'calls_stopped']);
    expect(await admin('GET', '/stop')).toMatchObject({ stopped: true });
    await admin('DELETE', '/stop');
    expect(await call()).toBe(200);
    expect(await call()).toEqual([429, 'budget_exceeded']);
    const audit = await admin<{ data: { action: string }[] }>('GET', '/audit?limit=2');
    expect(audit.data.map(({ action }) => action)).toEqual(['lift', 'stop']);
  });
});

describe('a template', () => {
  test('admits exactly as many first calls of unknown end users as there is room for', async () => {
    await start({
      limits: [{ scope: 'end_user', end_user: '*', amount_requests: 3, period: 'ever' }],
    });
    const calls = Array.from({ length: 1_000 }, async (_, index) => {
      const answer = await story.post({ ...ask, max_tokens: 5, user: `user-${index % 100}` });
      await answer.text();
      return answer.status;
    });
    const statuses = await Promise.all(calls);
    expect(statuses.filter((status) => status === 200)).toHaveLength(300);
    expect(statuses.filter((status) => status === 402)).toHaveLength(700);
    const rows = await story.rows();
    const byUser = new Map<unknown, number>();
    for (const { end_user } of rows) byUser.set(end_user, (byUser.get(end_user) ?? 0) + 1);
    expect([...byUser.values()]).toEqual(Array(100).fill(3));
  });
});
