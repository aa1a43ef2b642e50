// Every way in which a call can end, as the contract's tables have them: what the client sees, what
// is charged, how many rows there are, and that the hold is gone.

import { once } from 'node:events';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { chat } from '#src/rules/dialects/chat.js';
import { DONE, delta, FINISH, usageChunk, words } from '../support/chat-events.js';
import { answering, type Story, startStory, wholeAnswer } from '../support/gateway.js';
import { freePort } from '../support/programs.js';
import { rawSocket } from '../support/raw-http.js';
import type { UpstreamPlan } from '../support/scripted-upstream.js';

const SECRET = 'sk-the-operators-own';
const TIMEOUT_MS = 400;
const PRICE = { input: 1, output: 4 };
const MAX = 100;
const USAGE = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };

let story: Story;
/** Tokens that the gateway counts in the prompt of `ask`. */
let prompt: number;

beforeAll(async () => {
  const gonePort = await freePort();
  const gone = { dialect: 'openai', base_url: `http://127.0.0.1:${gonePort}`, allow_private: true };
  story = await startStory({
    database: 'postgres',
    providers: ['second'],
    config: {
      providers: {
        gone,
        walled: {
          ...{ dialect: 'openai', base_url: `https://${hostname()}:${gonePort}` },
          api_key: SECRET,
        },
      },
      models: {
        'pair-*': ['scripted/*', 'second/*'],
        'after-gone': ['gone/model', 'scripted/model'],
      },
      prices: Object.fromEntries(
        ['scripted', 'second', 'gone', 'walled'].map((name) => [`${name}/*`, PRICE]),
      ),
      timeouts: {
        first_byte_ms: TIMEOUT_MS,
        answer_ms: TIMEOUT_MS,
        idle_ms: TIMEOUT_MS,
        stall_ms: 1500,
        left_ms: TIMEOUT_MS,
      },
    },
  });
  story.upstream.enqueue(answering(USAGE));
  const answer = await story.post(ask('scripted/first'));
  prompt = Number(answer.headers.get('x-purser-held-usd')) * 1e6 - 4 * MAX;
  expect(prompt).toBeGreaterThan(5);
  await answer.text();
});
afterAll(() => story.end());
afterEach(() => vi.restoreAllMocks());

function ask(model: string, more: object = {}) {
  return { model, max_tokens: MAX, messages: [{ role: 'user', content: 'Hello?' }], ...more };
}

interface Ended {
  status: number;
  headers: Headers;
  text: string;
  /** The parsed error, of a body or of the last event. */
  error: { code?: string; message?: string; type?: string } | undefined;
  /** Rows that the call left. */
  rows: Record<string, unknown>[];
  /** Requests that the upstream got. */
  requests: number;
}

/** One call, its upstream doing as planned; whatever came of it, its hold is gone. */
async function run(body: object, ...plans: UpstreamPlan[]): Promise<Ended> {
  const rowsBefore = (await story.rows()).length;
  const requestsBefore = story.upstream.requests.length;
  story.upstream.enqueue(...plans);
  const response = await story.post(body);
  const text = await response.text();
  await holdsGone();
  return {
    status: response.status,
    headers: response.headers,
    text,
    error: errorIn(text),
    rows: (await story.rows()).slice(rowsBefore),
    requests: story.upstream.requests.length - requestsBefore,
  };
}

async function holdsGone(): Promise<void> {
  await expect.poll(async () => (await story.gateway.ledger.state()).held).toBe(0);
}

function errorIn(text: string): Ended['error'] {
  const last = text.trimEnd().split('\n\n').at(-1) ?? '';
  const json = last.startsWith('data: ') ? last.slice(6) : last;
  return json.startsWith('{') ? (JSON.parse(json) as { error?: Ended['error'] }).error : undefined;
}

const stream = { stream: true };
const status = (code: number, body = '{"error":{"message":"No."}}'): UpstreamPlan => ({
  status: code,
  headers: { 'content-type': 'application/json' },
  body,
});
const silent: UpstreamPlan = { silent: true };
const resets: UpstreamPlan = { body: words(1), dieAt: 0, dieBy: 'reset' };
/** A row of so many tokens, priced as all models here are. */
const rowOf = (tokensIn: number, tokensOut: number, more: object = {}) => ({
  tokens_in: tokensIn,
  tokens_out: tokensOut,
  cost_usd: ((tokensIn + 4 * tokensOut) / 1e6).toFixed(9),
  ...more,
});

test('a target that refuses connections costs nothing, and the next one answers', async () => {
  const next = await run(ask('after-gone'), answering(USAGE));
  expect(next).toMatchObject({ status: 200, requests: 1, rows: [rowOf(9, 5, { attempts: 2 })] });
  expect(next.headers.get('x-purser-provider')).toBe('scripted');
  expect(next.headers.get('x-purser-attempts')).toBe('2');
  const alone = await run(ask('gone/model', stream));
  expect(alone).toMatchObject({ status: 502, error: { code: 'upstream_error' }, rows: [] });
});

test('an address that may not be dialled is 502 and costs nothing', async () => {
  const { status, error, rows } = await run(ask('walled/model'));
  expect({ status, error, rows }).toMatchObject({ status: 502, rows: [] });
  expect(error?.message).toContain('walled');
  expect(JSON.stringify(error)).not.toContain(SECRET);
});

test.each([400, 404, 409, 413, 422])(
  'a %i of the provider passes as it is, from the first target, and costs nothing',
  async (code) => {
    const body = `{ "error": {"message":"because ${code}", "code": 1e400 } }`;
    const ended = await run(ask('pair-bad', stream), status(code, body));
    expect(ended).toMatchObject({ status: code, text: body, requests: 1, rows: [] });
    expect(ended.headers.get('x-purser-cost-usd')).toBe('0.000000');
  },
);

test('a 429 goes to the next target, and the last one’s passes with its hints', async () => {
  const saved = await run(ask('pair-busy', stream), status(429), answering(USAGE));
  expect(saved).toMatchObject({ status: 200, requests: 2, rows: [rowOf(9, 5)] });
  const limited = {
    ...status(429, '{"error":{"message":"Slow down."}}'),
    headers: { 'retry-after': '7', 'x-ratelimit-remaining-requests': '0', 'set-cookie': 'a=b' },
  };
  const lost = await run(ask('pair-busy'), status(429), limited);
  expect(lost).toMatchObject({ status: 429, error: { message: 'Slow down.' }, rows: [] });
  expect(lost.headers.get('retry-after')).toBe('7');
  expect(lost.headers.get('x-upstream-ratelimit-remaining-requests')).toBe('0');
  expect(lost.headers.get('x-ratelimit-remaining-requests')).toBe(null);
  expect(lost.headers.get('set-cookie')).toBe(null);
});

test.each([500, 503, 529])('a %i goes to the next target, and of the last is 502', async (code) => {
  const saved = await run(ask('pair-ill'), status(code), answering(USAGE));
  expect(saved).toMatchObject({ status: 200, requests: 2, rows: [rowOf(9, 5)] });
  const lost = await run(ask('pair-ill', stream), status(code), status(code));
  expect(lost).toMatchObject({ status: 502, requests: 2, rows: [] });
  expect(lost.error).toMatchObject({ code: 'upstream_error', type: 'server_error' });
});

test.each([401, 403, 302, 307])(
  'a %i is the operator’s to mend: 502 at once, with the provider’s name and no key',
  async (code) => {
    const body = `{"error":{"message":"Incorrect API key: ${SECRET}"}}`;
    const plan = { ...status(code, body), headers: { location: 'http://127.0.0.1:1/' } };
    const ended = await run(ask('pair-key'), plan);
    expect(ended).toMatchObject({ status: 502, requests: 1, rows: [] });
    expect(ended.error).toMatchObject({ code: 'upstream_error' });
    expect(ended.error?.message).toMatch(/scripted|second/);
    expect(ended.text).not.toContain(SECRET);
  },
);

test('no first byte: the next target, and the prompt of the silent one is charged', async () => {
  const ended = await run(ask('pair-silent'), silent, answering(USAGE));
  expect(ended).toMatchObject({ status: 200, requests: 2 });
  expect(ended.rows).toMatchObject([rowOf(prompt + 9, 5, { attempts: 2, outcome: 'completed' })]);
});

test('no first byte of any: 504, and each prompt is charged', async () => {
  const ended = await run(ask('pair-silent', stream), silent, silent);
  expect(ended).toMatchObject({ status: 504, error: { code: 'upstream_timeout' }, requests: 2 });
  const outcome = 'upstream_timeout';
  expect(ended.rows).toMatchObject([rowOf(2 * prompt, 0, { outcome, usage_source: 'estimated' })]);
});

test('no first byte and no room for another prompt: 504 without a next target', async () => {
  const hold = (prompt + 4 * MAX) / 1e6;
  const limit = { scope_type: 'task', scope_key: 'narrow', period: 'daily', amount_usd: `${hold}` };
  expect((await story.admin('POST', '/limits', limit)).status).toBe(201);
  const before = story.upstream.requests.length;
  story.upstream.enqueue(silent);
  const response = await story.post(ask('pair-narrow'), { 'x-purser-task-id': 'narrow' });
  expect(response.status).toBe(504);
  expect(story.upstream.requests.length - before).toBe(1);
  expect((await story.rows()).at(-1)).toMatchObject(rowOf(prompt, 0, { attempts: 1 }));
  expect(response.headers.get('x-purser-cost-usd')).toBe(
    `0.0000${prompt.toString().padStart(2, '0')}`,
  );
});

test('a reset before the first byte may be billed: the prompt is, and the next target asked', async () => {
  const saved = await run(ask('pair-reset', stream), resets, {
    body: words(3) + FINISH + usageChunk(USAGE) + DONE,
  });
  expect(saved).toMatchObject({ status: 200, requests: 2, rows: [rowOf(prompt + 9, 5)] });
  const lost = await run(ask('scripted/reset'), resets);
  expect(lost).toMatchObject({
    status: 502,
    rows: [rowOf(prompt, 0, { outcome: 'upstream_died' })],
  });
});

const WORDS = words(5);
test.each([
  ['is cut off', { body: WORDS + FINISH, dieAt: WORDS.length, dieBy: 'fin' }, 'upstream_died'],
  ['is reset', { body: WORDS + FINISH, dieAt: WORDS.length, dieBy: 'reset' }, 'upstream_died'],
  ['stops inside an event', { body: WORDS + FINISH, dieAt: WORDS.length + 9 }, 'upstream_died'],
  ['falls silent', { body: WORDS + FINISH, stallAt: WORDS.length }, 'upstream_timeout'],
  ['ends without finish_reason', { body: WORDS }, 'upstream_died'],
] as [string, UpstreamPlan, string][])(
  'a stream that %s ends with an error event, and what passed is charged',
  async (_, plan, outcome) => {
    const ended = await run(ask('pair-dies', stream), plan);
    expect(ended.status).toBe(200);
    expect(ended.text.startsWith(WORDS)).toBe(true);
    expect(ended.text.slice(WORDS.length)).toMatch(/^data: \{"error":\{.*\}\}\n\n$/);
    expect(ended.text).not.toContain('[DONE]');
    expect(ended.error).toMatchObject({ code: 'upstream_error', type: 'server_error' });
    expect(ended.requests).toBe(1);
    expect(ended.rows).toMatchObject([rowOf(prompt, 5, { outcome })]);
  },
);

test('a stream that died after its usage is charged by that', async () => {
  const body = WORDS + usageChunk({ ...USAGE, completion_tokens: 50, total_tokens: 59 });
  const ended = await run(ask('scripted/dies', stream), { body });
  expect(ended.error?.code).toBe('upstream_error');
  expect(ended.rows).toMatchObject([rowOf(9, 50, { usage_source: 'provider' })]);
});

test('a stream that finished is whole without its terminator, which is added', async () => {
  const body = WORDS + FINISH;
  const ended = await run(ask('scripted/done', stream), { body });
  expect(ended.text.startsWith(body)).toBe(true);
  expect(ended.text.slice(body.length)).toMatch(
    /^: purser cost_usd=\S+ remaining_usd=\S+\ndata: \[DONE\]\n\n$/,
  );
  expect(ended.rows).toMatchObject([rowOf(prompt, 5, { outcome: 'completed' })]);
});

test('an error event of the provider passes, and nothing is put after it', async () => {
  const body = `${WORDS}data: {"error":{"message":"overloaded","code":529}}\n\n`;
  const ended = await run(ask('scripted/error', stream), { body });
  expect(ended.text).toBe(body);
  expect(ended.rows).toMatchObject([rowOf(prompt, 5, { outcome: 'upstream_died' })]);
});

test('a stream without a single byte is 502, and its prompt is charged', async () => {
  const ended = await run(ask('scripted/empty', stream), { body: '' });
  expect(ended).toMatchObject({ status: 502, error: { code: 'upstream_error' } });
  expect(ended.rows).toMatchObject([rowOf(prompt, 0)]);
});

test('a whole answer that breaks off is 502 and charged by its bound', async () => {
  const plan = { ...answering(USAGE), framing: 'length', dieAt: 20 } as const;
  const ended = await run(ask('scripted/broken'), plan);
  expect(ended).toMatchObject({ status: 502, error: { code: 'upstream_error' } });
  expect(ended.rows).toMatchObject([rowOf(prompt, MAX, { usage_source: 'estimated' })]);
});

test('a whole answer to a stream’s request passes as it is, with its cost', async () => {
  const ended = await run(ask('scripted/json', stream), answering(USAGE));
  expect(ended).toMatchObject({ status: 200, text: wholeAnswer(USAGE), rows: [rowOf(9, 5)] });
  expect(ended.headers.get('content-type')).toBe('application/json');
  expect(ended.headers.get('x-purser-cost-usd')).toBe('0.000029');
});

test('a client that leaves a stream ends it upstream at once, with one row', async () => {
  const before = (await story.rows()).length;
  const id = story.upstream.requests.length;
  const pace = 10;
  story.upstream.enqueue({ body: words(500), cuts: { seed: 2, count: 500 }, paceMs: pace });
  const leaving = new AbortController();
  const response = await fetch(`${story.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${story.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(ask('scripted/left', stream)),
    signal: leaving.signal,
  });
  const reader = response.body!.getReader();
  await reader.read();
  await reader.read();
  const writtenBefore = story.upstream.requests[id]!.bytesWritten;
  leaving.abort();
  const left = await story.upstream.closed(id);
  expect(left.complete).toBe(false);
  // What an upstream of this pace writes in 100 ms.
  const perWrite = words(500).length / 500;
  expect(left.bytesWritten - writtenBefore).toBeLessThan((100 / pace) * 3 * perWrite);
  await holdsGone();
  const rows = (await story.rows()).slice(before);
  expect(rows).toMatchObject([{ outcome: 'client_left', tokens_in: prompt }]);
  expect(Number(rows[0]!.tokens_out)).toBeGreaterThan(0);
});

/** Posts, and leaves once the upstream has the request. */
async function postAndLeave(body: object, plan: UpstreamPlan): Promise<Record<string, unknown>[]> {
  const before = (await story.rows()).length;
  const received = story.upstream.requests.length + 1;
  story.upstream.enqueue(plan);
  const leaving = new AbortController();
  const answer = fetch(`${story.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${story.key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: leaving.signal,
  });
  await story.upstream.received(received);
  leaving.abort();
  await expect(answer).rejects.toThrow();
  await holdsGone();
  return (await story.rows()).slice(before);
}

test('a client that leaves before the first byte of a stream pays for its prompt', async () => {
  const rows = await postAndLeave(ask('scripted/left', stream), silent);
  expect(rows).toMatchObject([rowOf(prompt, 0, { outcome: 'client_left' })]);
});

test('a whole answer is read on when its client leaves, and charged as told', async () => {
  const plan = { ...answering(USAGE), firstByteMs: 100 };
  const rows = await postAndLeave(ask('scripted/whole'), plan);
  expect(rows).toMatchObject([rowOf(9, 5, { outcome: 'client_left', usage_source: 'provider' })]);
});

test('a whole answer that does not come after its client left is charged by its bound', async () => {
  const body = { ...answering(USAGE), stallAt: 10 };
  const rows = await postAndLeave(ask('scripted/whole', { n: 2 }), body);
  expect(rows).toMatchObject([
    rowOf(prompt, 2 * MAX, { outcome: 'client_left', usage_source: 'estimated' }),
  ]);
});

test('a provider that refuses stream_options is asked once more without, and remembered', async () => {
  const body = WORDS + FINISH + DONE;
  const refusal = status(400, '{"error":{"message":"Unknown field: stream_options"}}');
  const first = await run(ask('scripted/plain', stream), refusal, { body });
  expect(first).toMatchObject({ status: 200, requests: 2, rows: [rowOf(prompt, 5)] });
  const [asked, again] = story.upstream.requests.slice(-2).map((one) => JSON.parse(one.body));
  expect(asked.stream_options).toEqual({ include_usage: true });
  expect(again.stream_options).toBe(undefined);
  const wants = { ...stream, stream_options: { include_usage: true } };
  const second = await run(ask('scripted/plain', wants), { body });
  expect(second).toMatchObject({ status: 200, requests: 1 });
  expect(JSON.parse(story.upstream.requests.at(-1)!.body).stream_options).toBe(undefined);
});

test('a 400 that names stream_options twice passes as it is', async () => {
  const refusal = status(400, '{"error":{"message":"stream_options, again"}}');
  const ended = await run(ask('scripted/never', stream), refusal, refusal);
  expect(ended).toMatchObject({ status: 400, requests: 2, rows: [] });
});

const BIG = delta({ content: 'x'.repeat(8000) }).repeat(6000);

test('a reader that takes nothing pauses the upstream, and counts as gone in the end', async () => {
  const before = (await story.rows()).length;
  const id = story.upstream.requests.length;
  story.upstream.enqueue({ body: BIG, cuts: { seed: 3, count: 2000 } });
  const socket = await request(ask('scripted/slow', stream));
  await once(socket, 'readable');
  const stuck = await story.upstream.closed(id);
  expect(stuck.complete).toBe(false);
  expect(stuck.bytesWritten).toBeLessThan(BIG.length / 2);
  await holdsGone();
  expect((await story.rows()).slice(before)).toMatchObject([{ outcome: 'client_left' }]);
  socket.destroy();
});

test('a reader that is slow for a while gets every byte', async () => {
  const id = story.upstream.requests.length;
  story.upstream.enqueue({ body: BIG + FINISH + DONE, cuts: { seed: 4, count: 2000 } });
  const socket = await request(ask('scripted/slower', stream));
  await once(socket, 'readable');
  let seen = -1;
  await expect
    .poll(() => {
      const { bytesWritten } = story.upstream.requests[id]!;
      const still = bytesWritten === seen && bytesWritten > 0;
      seen = bytesWritten;
      return still;
    })
    .toBe(true);
  let tail = '';
  let got = 0;
  for await (const bytes of socket) {
    got += (bytes as Buffer).length;
    tail = (tail + (bytes as Buffer).toString('latin1')).slice(-200);
    if (tail.endsWith('0\r\n\r\n')) break;
  }
  expect(got).toBeGreaterThan(BIG.length);
  expect(tail).toContain('data: [DONE]\n\n');
  await holdsGone();
});

/** A socket that has sent its request and reads only when told. */
async function request(body: object) {
  const socket = await rawSocket(Number(new URL(story.url).port));
  const json = JSON.stringify(body);
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${story.key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`,
  );
  return socket;
}

test.each([
  ['answers 500', status(500)],
  ['dies in mid-stream', { body: WORDS }],
] as [string, UpstreamPlan][])(
  'a target that %s again and again is tried last',
  async (how, plan) => {
    const model = `pair-${how.replaceAll(' ', '-')}`;
    const good = { body: WORDS + FINISH + DONE };
    for (let failures = 0; failures < 5; failures++) {
      const ended = await run(ask(model, stream), plan, ...(plan.status ? [good] : []));
      expect(ended.requests).toBe(plan.status ? 2 : 1);
    }
    const after = await run(ask(model, stream), good);
    expect(after).toMatchObject({ status: 200, requests: 1 });
    expect(after.headers.get('x-purser-provider')).toBe('second');
  },
);

test('streams of a revoked key end with an error event that says so', async () => {
  const agents = (await (await story.admin('GET', '/agents')).json()) as { data: { id: string }[] };
  const made = await story.admin('POST', '/keys', {
    name: 'soon gone',
    agent_id: agents.data[0]!.id,
  });
  const { id, key } = (await made.json()) as { id: string; key: string };
  story.upstream.enqueue({ body: words(300), cuts: { seed: 1, count: 300 }, paceMs: 5 });
  const response = await story.post(ask('scripted/revoked', stream), {
    authorization: `Bearer ${key}`,
  });
  await story.admin('POST', `/keys/${id}/revoke`, {});
  const error = errorIn(await response.text());
  expect(error).toMatchObject({ code: 'key_revoked' });
  await holdsGone();
  expect((await story.rows()).at(-1)).toMatchObject({ tokens_in: prompt });
});

test.each(['push', 'end', 'takeText'] as const)(
  'a fault of our own in a reader’s %s breaks that call alone, and its hold ends',
  async (method) => {
    const createReader = chat.createReader;
    vi.spyOn(chat, 'createReader').mockImplementationOnce((options) => {
      const reader = createReader(options);
      const fail = () => {
        throw new Error('a failed assertion');
      };
      Object.defineProperty(reader, method, { value: fail });
      return reader;
    });
    const before = (await story.rows()).length;
    story.upstream.enqueue({ body: WORDS + FINISH });
    const text = await story
      .post(ask('scripted/fault', stream))
      .then(
        (response) => response.text(),
        (error: Error) => error.message,
      )
      .catch((error: Error) => error.message);
    expect(text).not.toContain('[DONE]');
    await holdsGone();
    const rows = (await story.rows()).slice(before);
    expect(rows).toMatchObject([{ tokens_in: expect.anything() }]);
    expect(Number(rows[0]!.tokens_in)).toBeGreaterThanOrEqual(prompt);
    const logged = story.log.filter((line) => JSON.stringify(line).includes('a failed assertion'));
    expect(logged.length).toBeGreaterThan(0);
    const after = await run(ask('scripted/fault', stream), { body: WORDS + FINISH });
    expect(after.rows).toMatchObject([rowOf(prompt, 5)]);
  },
);
