// Three gateways over one Redis and one PostgreSQL: what an operator changes by way of one of them
// is in force there before the answer, and on the others with their next look, while a hundred
// streams run; a template admits exactly as many as there is room for, whoever is asked.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { afterEach, expect, test, vi } from 'vitest';
import type { Gateway } from '#src/compose.js';
import { words } from '../support/chat-events.js';
import { answering } from '../support/gateway.js';
import { type Gateways, startGateways } from '../support/gateways.js';
import { ASK } from '../support/policy.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

let gateways: Gateways;
afterEach(() => gateways.end());

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const STREAMS = 100;

function post(by: Gateway, key: string, body: object): Promise<Response> {
  return fetch(`${by.address}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...ASK, ...body }),
  });
}

interface Probe {
  startedMs: number;
  /** `200`, or status and code. */
  outcome: string;
}

/** Calls one gateway again and again until it is stopped. */
class Prober {
  readonly probes: Probe[] = [];
  #key: string;
  #stopped = false;
  #calling: Promise<void>;

  constructor(by: Gateway, key: string) {
    this.#key = key;
    this.#calling = this.#call(by);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#calling;
  }

  async #call(by: Gateway): Promise<void> {
    while (!this.#stopped) {
      const startedMs = performance.now();
      const answer = await post(by, this.#key, { max_tokens: 5 });
      const { error } = (await answer.json()) as { error?: { code: string } };
      this.probes.push({ startedMs, outcome: error ? `${answer.status} ${error.code}` : '200' });
      await new Promise((done) => setTimeout(done, 10));
    }
  }
}

interface Change {
  what: string;
  make(): Promise<unknown>;
  /** What each call is told from then on. */
  told: string;
}

/** For each gateway: how long after the answer the last call began that was told otherwise. */
async function lateness(
  { make, told, what }: Change,
  probers: readonly Prober[],
): Promise<number[]> {
  await make();
  const answeredMs = performance.now();
  const since = probers.map(({ probes }) => probes.length);
  const isNew = ({ outcome }: Probe) => outcome === told;
  for (const [index, { probes }] of probers.entries()) {
    // Three in a row: none of them goes back to what was.
    await vi.waitUntil(() => probes.length > since[index]! + 3 && probes.slice(-3).every(isNew), {
      timeout: 20_000,
      interval: 5,
    });
  }
  return probers.map(({ probes }, index) => {
    const after = probes.slice(since[index]).filter(({ startedMs }) => startedMs > answeredMs);
    const first = after.findIndex(isNew);
    expect(after.slice(first).every(isNew), `${what}: there is no way back`).toBe(true);
    const last = after[first - 1];
    return last ? Math.ceil(last.startedMs - answeredMs) : 0;
  });
}

test('what is changed while 100 streams run is in force on each gateway, and stays so', async () => {
  const notices: { type: string; id: string }[] = [];
  const receiver = createServer(async (request, response) => {
    let text = '';
    for await (const bytes of request) text += bytes;
    const { type } = JSON.parse(text) as { type: string };
    notices.push({ type, id: String(request.headers['webhook-id']) });
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const hook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  gateways = await startGateways(3, {
    models: { fast: 'scripted/model' },
    notices: { webhooks: [{ url: hook, secret: 'c2VjcmV0IG9mIGJvdGggc2lkZXM=' }] },
  });
  const { all, admin, upstream, key } = gateways;
  const [agent] = (await admin('GET', '/agents')).data as { id: string }[];
  const keyFor = (name: string) => admin('POST', '/keys', { name, agent_id: agent!.id });
  const [revoked, probing] = [await keyFor('streams'), await keyFor('probes')];
  const warned = { scope_type: 'key', scope_key: probing.id, amount_requests: 20, period: 'ever' };
  await admin('POST', '/limits', { ...warned, action_on_exceed: 'warn', name: 'twenty' });

  const knows = (by: Gateway, text: string) =>
    fetch(`${by.address}/v1/models`, { headers: { authorization: `Bearer ${text}` } });
  for (const gateway of all) {
    for (const { key: text } of [revoked, probing]) {
      await vi.waitUntil(async () => (await knows(gateway, text)).status === 200, 20_000);
    }
  }

  // Each stream goes on until its plan is at its end, which is long after all of this.
  upstream.plan({ body: words(400), cuts: { seed: 6, count: 400 }, paceMs: 250 });
  const streams = Array.from({ length: STREAMS }, async (_, index) => {
    const by = all[index % all.length]!;
    const client = new OpenAI({
      apiKey: index % 2 ? key : revoked.key,
      baseURL: `${by.address}/v1`,
      maxRetries: 0,
    });
    const request = { ...ASK, stream: true as const, max_tokens: 500 };
    return client.chat.completions.create(request);
  });
  const running = await Promise.all(streams);
  const ends = running.map(async (stream) => {
    try {
      let events = 0;
      for await (const _event of stream) events += 1;
      return `ended after ${events}`;
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  });
  upstream.plan(answering(USAGE));

  const limit = await admin('POST', '/limits', {
    scope_type: 'global',
    amount_requests: 1_000_000,
    period: 'ever',
  });
  const patch = (body: object) => () => admin('PATCH', `/limits/${limit.id}`, body);
  const tier = (models: string[] | null) => () =>
    admin('PATCH', '/tiers/4', { allowed_models: models });
  const none = '402 request_exceeds_budget';
  const changes: Change[] = [
    { what: 'lowered', make: patch({ amount_requests: 0 }), told: none },
    { what: 'raised', make: patch({ amount_requests: 1_000_000 }), told: '200' },
    { what: 'lowered again', make: patch({ amount_requests: 0 }), told: none },
    { what: 'made warn', make: patch({ action_on_exceed: 'warn' }), told: '200' },
    { what: 'made block', make: patch({ action_on_exceed: 'block' }), told: none },
    { what: 'made inactive', make: patch({ is_active: false }), told: '200' },
    { what: 'the tier', make: tier(['other']), told: '403 model_not_allowed' },
    { what: 'the tier again', make: tier(null), told: '200' },
    {
      what: 'stopped',
      make: () => admin('POST', '/stop', { reason: 'a test' }),
      told: '503 calls_stopped',
    },
    { what: 'lifted', make: () => admin('DELETE', '/stop'), told: '200' },
    {
      what: 'the key',
      make: () => admin('POST', `/keys/${probing.id}/revoke`),
      told: '401 key_revoked',
    },
  ];
  const probers = all.map((gateway) => new Prober(gateway, probing.key));
  const measured: string[] = [];
  try {
    for (const change of changes) {
      const late = await lateness(change, probers);
      measured.push(`${change.what} ${late.join('/')}`);
      expect(late[0], `${change.what}: in force before it is answered`).toBe(0);
    }
  } finally {
    await Promise.all(probers.map((prober) => prober.stop()));
  }
  process.stderr.write(`ms after the answer, by gateway: ${measured.join(', ')}\n`);

  // Nothing of it has ended a stream, but the end of its key.
  expect((await gateways.all[0]!.ledger.state()).held).toBe(STREAMS);
  await admin('POST', `/keys/${revoked.id}/revoke`);
  const gone = await Promise.all(ends.filter((_, index) => index % 2 === 0));
  expect(new Set(gone)).toEqual(new Set(['key_revoked']));
  await vi.waitUntil(async () => (await all[0]!.ledger.state()).held === STREAMS / 2, 20_000);
  for (const stream of running) stream.controller.abort();
  await Promise.all(ends);

  const admitted = probers.flatMap(({ probes }) =>
    probes.filter(({ outcome }) => outcome === '200'),
  );
  const rows = await gateways.rows();
  // Each gateway may have had a call under way when its key was revoked: it is booked, too.
  const more = rows.length - STREAMS - admitted.length;
  expect([0, 1, 2, 3]).toContain(more);
  // 80 % and all of the probes' warning, and the two keys: each once, though three gateways tell.
  await vi.waitUntil(() => notices.length >= 4, 20_000);
  expect(notices.map(({ type }) => type).sort()).toEqual([
    'budget.exhausted',
    'budget.threshold_reached',
    'key.revoked',
    'key.revoked',
  ]);
  expect(new Set(notices.map(({ id }) => id)).size).toBe(4);
  await new Promise((resolve) => receiver.close(resolve));
});

test('of 1,000 first calls of 100 unknown end users exactly those are admitted that fit', async () => {
  gateways = await startGateways(3, {
    limits: [{ scope: 'end_user', end_user: '*', amount_requests: 3, period: 'ever' }],
  });
  const { all, upstream, key } = gateways;
  upstream.plan(answering(USAGE));
  const statuses = await Promise.all(
    Array.from({ length: 1_000 }, async (_, index) => {
      const by = all[index % all.length]!;
      const answer = await post(by, key, { max_tokens: 5, user: `user-${index % 100}` });
      await answer.arrayBuffer();
      return answer.status;
    }),
  );
  const count = (status: number) => statuses.filter((one) => one === status).length;
  expect([count(200), count(402)]).toEqual([300, 700]);
  const byUser = new Map<unknown, number>();
  for (const { end_user } of await gateways.rows()) {
    byUser.set(end_user, (byUser.get(end_user) ?? 0) + 1);
  }
  expect([...byUser.values()]).toEqual(Array(100).fill(3));
});
