// What providers keep under an id: stored responses are told to the key that asked for them, and
// usage that nobody told is asked for later and booked as a correction.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { createResponseIds } from '#src/stores/response-ids.js';
import { type Story, startStory } from '../support/gateway.js';
import { WIRES } from '../support/meter/wires.js';

let story: Story;
beforeAll(async () => {
  story = await startStory({
    config: {
      providers: {},
      prices: {
        'scripted/model': { input: 1, output: 4 },
        'openrouter/model': { input: 1, cached_read: 0.5, output: 4 },
      },
    },
    providers: ['openrouter'],
  });
});
afterAll(() => story.end());

const json = { 'content-type': 'application/json' };
const usage = { input_tokens: 20, output_tokens: 9, total_tokens: 29 };

function responseBody(id: string, more: object = {}): string {
  const output = [{ type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }];
  return JSON.stringify({ id, object: 'response', status: 'completed', output, usage, ...more });
}

const call = (method: string, path: string, body?: object, key = story.key) =>
  fetch(`${story.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...json },
    ...(body && { body: JSON.stringify(body) }),
  });

async function otherKey(): Promise<string> {
  const made = await story.admin('POST', '/agents', { name: 'other', type: 'coder' });
  const { id } = (await made.json()) as { id: string };
  const body = { name: 'other', kind: 'agent', agent_id: id };
  return ((await (await story.admin('POST', '/keys', body)).json()) as { key: string }).key;
}

test('a stored response is told to its own key only, until it is deleted, and billed once', async () => {
  story.upstream.enqueue({ headers: json, body: responseBody('resp_a1') });
  await (await call('POST', '/v1/responses', { model: 'scripted/model', input: 'Hi' })).text();
  const rows = (await story.rows()).length;

  story.upstream.enqueue({ headers: json, body: responseBody('resp_a1') });
  const told = await call('GET', '/v1/responses/resp_a1?include[]=output&secret=1');
  expect(told.status).toBe(200);
  expect(await told.json()).toMatchObject({ id: 'resp_a1', status: 'completed' });
  const asked = story.upstream.requests.at(-1);
  expect(asked).toMatchObject({ method: 'GET', body: '' });
  expect(asked?.path).toBe('/scripted/v1/responses/resp_a1?include%5B%5D=output');

  const requests = story.upstream.requests.length;
  const other = await otherKey();
  for (const method of ['GET', 'DELETE']) {
    const refused = await call(method, '/v1/responses/resp_a1', undefined, other);
    expect(refused.status).toBe(404);
    expect(await refused.json()).toMatchObject({ error: { code: 'not_found' } });
  }
  expect((await call('GET', '/v1/responses/resp_zz')).status).toBe(404);
  expect((await call('GET', '/v1/responses/..%2Fmodels')).status).toBe(404);
  expect((await call('GET', '/v1/responses/resp_a1?stream=true')).status).toBe(400);
  expect((await call('GET', '/v1/responses/resp_a1', undefined, 'sk-no')).status).toBe(401);
  expect(story.upstream.requests.length).toBe(requests);

  story.upstream.enqueue({ headers: json, body: '{"id":"resp_a1","deleted":true}' });
  expect(await (await call('DELETE', '/v1/responses/resp_a1')).json()).toMatchObject({
    deleted: true,
  });
  expect((await call('GET', '/v1/responses/resp_a1')).status).toBe(404);
  expect((await story.rows()).length).toBe(rows);
});

test('whose a streamed response is, another gateway reads from its row', async () => {
  const body = WIRES.responses.text(['Hi'], { input: 3, output: 1 }).join('');
  story.upstream.enqueue({ body: body.replaceAll('resp_1', 'resp_b2') });
  const wire = WIRES.responses;
  await (await call('POST', wire.path, wire.body('model', 'Hi'))).text();
  await story.rows();
  const owner = await createResponseIds(story.database).find('resp_b2');
  expect(owner?.provider).toBe('scripted');

  story.upstream.enqueue({ headers: json, body: responseBody('resp_c3') });
  const asked = { model: 'scripted/model', input: 'Hi', store: false };
  await (await call('POST', '/v1/responses', asked)).text();
  await story.rows();
  expect(await createResponseIds(story.database).find('resp_c3')).toBeUndefined();
});

/** Ends a call without its usage, and lets its provider be asked at once. */
async function unsettled(path: string, asked: object, body: string): Promise<string> {
  story.upstream.enqueue({ body, dieAt: body.length, dieBy: 'reset' });
  const response = await call('POST', path, asked);
  const id = response.headers.get('x-purser-reservation-id') ?? '';
  await response.text().catch(() => '');
  const [row] = (await story.rows()).filter((one) => one.reservation_id === id);
  expect(row?.usage_source).not.toBe('provider');
  await story.database.run('update unsettled_calls set next_attempt_at = now()');
  return id;
}

async function correction(id: string): Promise<Record<string, unknown>[]> {
  const own = async () => (await story.rows()).filter((row) => row.reservation_id === id);
  await expect.poll(async () => (await own()).length, { timeout: 15_000 }).toBe(2);
  return own();
}

test('usage that a dropped response never told is asked for, and the difference booked', async () => {
  const events = WIRES.responses.text(['Hello', ' there', ' you'], { input: 9, output: 90 });
  const body = events.slice(0, 6).join('').replaceAll('resp_1', 'resp_d4');
  const told = { input_tokens: 15, output_tokens: 70, total_tokens: 85 };
  const details = { output_tokens_details: { reasoning_tokens: 30 } };
  story.upstream.plan({
    headers: json,
    body: responseBody('resp_d4', { usage: { ...told, ...details } }),
  });
  const { path } = WIRES.responses;
  const id = await unsettled(path, WIRES.responses.body('model', 'Hi'), body);
  const rows = await correction(id);
  const [base, corrected] = [...rows].sort((one) => (one.kind === 'base' ? -1 : 1));
  expect(corrected).toMatchObject({ kind: 'reconciled', usage_source: 'reconciled' });
  const sum = (name: string) => Number(base?.[name]) + Number(corrected?.[name]);
  expect([sum('tokens_in'), sum('tokens_out'), sum('tokens_reasoning')]).toEqual([15, 70, 30]);
  expect(sum('cost_usd')).toBeCloseTo((15 + 70 * 4) / 1e6, 9);
  expect(story.upstream.requests.at(-1)?.path).toBe('/scripted/v1/responses/resp_d4');
}, 30_000);

test('a router of providers is asked for a generation by its native counts', async () => {
  const events = WIRES.chat.text(['Hello', ' there'], { input: 9, output: 90 });
  const body = events.slice(0, 3).join('').replaceAll('c-1', 'gen-7');
  const data = { native_tokens_prompt: 40, native_tokens_completion: 12, native_tokens_cached: 10 };
  story.upstream.plan({ headers: json, body: JSON.stringify({ data }) });
  const asked = { ...WIRES.chat.body('model', 'Hi'), model: 'openrouter/model' };
  const id = await unsettled(WIRES.chat.path, asked, body);
  const rows = await correction(id);
  const sum = (name: string) => rows.reduce((all, row) => all + Number(row[name]), 0);
  expect([sum('tokens_in'), sum('tokens_out'), sum('tokens_cached_read')]).toEqual([40, 12, 10]);
  expect(sum('cost_usd')).toBeCloseTo((30 + 10 * 0.5 + 12 * 4) / 1e6, 9);
  expect(story.upstream.requests.at(-1)?.path).toBe('/openrouter/v1/generation?id=gen-7');
}, 30_000);
