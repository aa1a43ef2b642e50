// Where k calls fit and two hundred come at once, k are admitted, every round: no room is given
// twice, none is lost, and everybody else is told whether it is held or spent.

import { Agent, request } from 'node:http';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Story, startStory, wholeAnswer } from '../support/gateway.js';
import { seeded } from '../support/seeded.js';

const CALLS = 200;
const ROUNDS = 20;
const MAX = 50;
const ask = {
  model: 'scripted/model',
  max_tokens: MAX,
  messages: [{ role: 'user' as const, content: 'Hello?' }],
};
const body = JSON.stringify(ask);

let story: Story;
let limitId: string;
/** Of one call: tokens of its prompt, and its hold, which is also what it comes to cost. */
let prompt: number;
let holdNano: number;
const agent = new Agent({ keepAlive: true, maxSockets: CALLS });

beforeAll(async () => {
  story = await startStory({
    database: 'postgres',
    limits: [
      { scope: 'global', amount_usd: 1000, period: 'monthly' },
      { scope: 'agent', agent: 'coder-1', amount_tokens: 1e9, period: 'ever' },
    ],
  });
  story.upstream.plan({ headers: JSON_TYPE, body: wholeAnswer({}) });
  const first = await story.post(body);
  holdNano = Math.round(Number(first.headers.get('x-purser-held-usd')) * 1e9);
  prompt = holdNano / 1000 - 4 * MAX;
  await first.text();
  const usage = { prompt_tokens: prompt, completion_tokens: MAX, total_tokens: prompt + MAX };
  story.upstream.plan({ headers: JSON_TYPE, body: wholeAnswer(usage), hold: true });
  const limit = { scope_type: 'task', scope_key: 'rounds', period: 'ever', amount_usd: '0.000001' };
  limitId = ((await (await story.admin('POST', '/limits', limit)).json()) as { id: string }).id;
});
afterAll(async () => {
  agent.destroy();
  await story.end();
});

const JSON_TYPE = { 'content-type': 'application/json' };

interface Answer {
  status: number;
  code: string | undefined;
  retry: unknown;
}

function call(): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      ...JSON_TYPE,
      authorization: `Bearer ${story.key}`,
      'x-purser-task-id': 'rounds',
    };
    const options = { method: 'POST', agent, headers };
    const sent = request(`${story.url}/v1/chat/completions`, options, (response) => {
      let text = '';
      response.on('data', (bytes) => {
        text += bytes;
      });
      response.on('end', () => {
        const { error } = JSON.parse(text) as { error?: { code: string } };
        const retry = response.headers['x-should-retry'];
        resolve({ status: response.statusCode ?? 0, code: error?.code, retry });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Room for so many calls, beside what earlier rounds have spent, and a bit that is no use. */
async function makeRoom(calls: number, waste: number): Promise<void> {
  const nano = calls * holdNano + Math.floor(holdNano * waste);
  const answer = await story.admin('PATCH', `/limits/${limitId}`, { amount_usd: usd(nano) });
  expect(answer.status).toBe(200);
}

function usd(nano: number): string {
  const digits = String(nano).padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

test(`of ${CALLS} calls at once exactly as many are admitted as there is room for, ${ROUNDS} times`, {
  timeout: 60_000,
}, async () => {
  const random = seeded(20);
  let spent = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const k = 1 + random.below(CALLS - 1);
    await makeRoom(spent + k, random.pick([0, 0.5, 0.99]));
    story.upstream.holdAgain();
    const before = story.upstream.requests.length;
    const refusals: Answer[] = [];
    let decided = () => {};
    const allDecided = new Promise<void>((resolve) => {
      decided = resolve;
    });
    const look = () => {
      const admitted = story.upstream.requests.length - before;
      if (admitted + refusals.length >= CALLS) decided();
    };
    const calls = Array.from({ length: CALLS }, async () => {
      const answer = await call();
      if (answer.status !== 200) refusals.push(answer);
      look();
      return answer;
    });
    // Whoever is not refused is at the upstream, which answers nobody yet.
    void story.upstream.received(before + k).then(look);
    await allDecided;
    story.upstream.release();
    const answers = await Promise.all(calls);
    const label = `round ${round}, k = ${k}`;
    expect(answers.filter(({ status }) => status === 200).length, label).toBe(k);
    expect(story.upstream.requests.length - before, label).toBe(k);
    expect(refusals.length, label).toBe(CALLS - k);
    expect([...new Set(refusals.map(({ code }) => code))], label).toEqual(['budget_in_flight']);
    expect([...new Set(refusals.map(({ status }) => status))], label).toEqual([402]);
    expect([...new Set(refusals.map(({ retry }) => retry))], label).toEqual(['false']);
    spent += k;
    expect(await call(), label).toMatchObject({ status: 402, code: 'budget_exceeded' });
    expect(await committed(), label).toBe(spent * holdNano);
  }
  const rows = (await story.rows()).slice(1);
  expect(rows.length).toBe(spent);
  expect([...new Set(rows.map((row) => row.cost_usd))]).toEqual([usd(holdNano)]);
  expect([...new Set(rows.map((row) => row.overrun_usd))]).toEqual(['0.000000000']);
});

async function committed(): Promise<number> {
  const unit = 'nano_usd' as const;
  const asked = [{ envelope: `limit:${limitId}`, label: 'ever', unit }];
  const [balance] = await story.gateway.ledger.balances(asked);
  expect(balance?.reserved).toBe(0);
  return balance?.committed ?? -1;
}

test('the openai client makes one request for a spent budget, and one for one in flight', async () => {
  let requests = 0;
  const client = new OpenAI({
    apiKey: story.key,
    baseURL: `${story.url}/v1`,
    defaultHeaders: { 'x-purser-task-id': 'rounds' },
    fetch: (url, init) => {
      requests += 1;
      return fetch(url, init);
    },
  });
  const code = (error: { status: number; code: string }) => `${error.status} ${error.code}`;
  const spent = client.chat.completions.create(ask).then(() => 'answered', code);
  expect(await spent).toBe('402 budget_exceeded');
  expect(requests).toBe(1);
  await makeRoom(Math.round((await committed()) / holdNano) + 1, 0);
  story.upstream.holdAgain();
  const received = story.upstream.requests.length + 1;
  const running = call();
  await story.upstream.received(received);
  const held = client.chat.completions.create(ask).then(() => 'answered', code);
  expect(await held).toBe('402 budget_in_flight');
  expect(requests).toBe(2);
  story.upstream.release();
  expect((await running).status).toBe(200);
});
