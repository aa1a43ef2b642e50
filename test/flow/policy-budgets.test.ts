// Token envelopes of agents, over HTTP with the real client: allocated, used up, moved.

import { APIError } from 'openai';
import { afterEach, expect, test, vi } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';

vi.setConfig({ testTimeout: 60_000 });

let story: Story;
afterEach(() => story.end());

const ask = {
  model: 'scripted/model',
  messages: [{ role: 'user' as const, content: 'Hello?' }],
  max_tokens: 20,
};

async function call(): Promise<unknown> {
  try {
    await story.openai.chat.completions.create(ask, { maxRetries: 0 }).asResponse();
    return 200;
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return [error.status, error.code];
  }
}

async function admin(method: string, path: string, body?: unknown) {
  const answer = await story.admin(method, path, body);
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came.
  return { status: answer.status, body: (await answer.json()) as any };
}

test('an agent uses up its tokens, gets more, and hands some to another one', async () => {
  story = await startStory({ limits: [] });
  story.upstream.plan(answering({ prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 }));
  const agents = (await admin('GET', '/agents')).body.data;
  const coder = agents[0].id as string;
  const other = (await admin('POST', '/agents', { name: 'tester-1', type: 'tester' })).body.id;
  const allocate = (body: object) =>
    admin('POST', '/budgets/allocate', { agent_id: coder, ...body });

  expect(await call(), 'no row is no token envelope').toBe(200);
  await allocate({ tokens: 1 });
  const refused = await story.post(ask);
  const { error } = (await refused.json()) as { error: { metadata: { requested: number } } };
  // What one call may need at the most; it uses 30.
  const bound = error.metadata.requested;
  expect((await allocate({ more_tokens: bound })).body).toMatchObject({
    allocated_tokens: bound + 1,
  });
  expect(await call()).toBe(200);
  expect(await call(), 'less than a call is left').toEqual([402, 'budget_exceeded']);
  await story.gateway.drained();
  const [row] = (await admin('GET', '/budgets')).body.data;
  expect(row).toMatchObject({
    agent: 'coder-1',
    used_tokens: 30,
    remaining_tokens: bound + 1 - 30,
  });
  expect((await allocate({ more_tokens: 29 })).body).toMatchObject({ remaining_tokens: bound });
  expect(await call()).toBe(200);
  await story.gateway.drained();

  const move = (tokens: number, to = other) =>
    admin('POST', '/budgets/move', { from_agent_id: coder, to_agent_id: to, tokens });
  const left = bound - 30;
  expect((await move(left + 1)).status, 'only what is not used').toBe(400);
  expect((await move(5, coder)).status).toBe(400);
  const moved = (await move(left)).body;
  expect([moved.from.remaining_tokens, moved.to.remaining_tokens]).toEqual([0, left]);
  expect((await call()) as unknown[]).toContain(402);
  const all = (await admin('GET', '/budgets')).body.data as { allocated_tokens: number }[];
  expect(all.reduce((sum, one) => sum + one.allocated_tokens, 0)).toBe(bound + 30);

  const lowered = (await allocate({ tokens: 20 })).body;
  expect(lowered).toMatchObject({ allocated_tokens: 20, used_tokens: 20, overrun_tokens: 40 });
  expect((await allocate({ tokens: 0 })).status).toBe(200);
  expect(await call(), '0 refuses all').toEqual([402, 'request_exceeds_budget']);
  expect((await allocate({ more_tokens: -1 })).status).toBe(400);
  expect((await allocate({})).status).toBe(400);
  const audit = (await admin('GET', '/audit?limit=200')).body.data as { action: string }[];
  expect(audit.filter(({ action }) => action === 'allocate')).toHaveLength(7);
});

test('moves at the same time lose and make no token', async () => {
  story = await startStory({ limits: [] });
  const [first] = (await admin('GET', '/agents')).body.data;
  const second = (await admin('POST', '/agents', { name: 'b', type: 'coder' })).body;
  await admin('POST', '/budgets/allocate', { agent_id: first.id, tokens: 100 });
  const moves = Array.from({ length: 20 }, (_, index) => {
    const [from, to] = index % 2 ? [first.id, second.id] : [second.id, first.id];
    return admin('POST', '/budgets/move', { from_agent_id: from, to_agent_id: to, tokens: 7 });
  });
  const statuses = (await Promise.all(moves)).map(({ status }) => status);
  expect(statuses.every((status) => [200, 400, 404].includes(status))).toBe(true);
  const { data } = (await admin('GET', '/budgets')).body as {
    data: { allocated_tokens: number }[];
  };
  expect(data.reduce((sum, row) => sum + row.allocated_tokens, 0)).toBe(100);
});
