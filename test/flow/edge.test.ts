import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import type { Call } from '#src/core/call.js';
import { refuse } from '#src/core/errors.js';
import { type Edge, type Handle, KEY, openEdge } from '../support/edge.js';
import { rawSocket, sendRaw } from '../support/raw-http.js';

let edge: Edge | undefined;

afterEach(async () => {
  await edge?.server.close(0);
  edge = undefined;
});

const BODY = '{"model":"m","messages":[{"role":"user","content":"hi"}]}';
const post = (extra: readonly string[] = [], path = '/v1/chat/completions') =>
  `${[
    `POST ${path} HTTP/1.1`,
    'Host: purser',
    `Authorization: Bearer ${KEY}`,
    'Content-Type: application/json',
    `Content-Length: ${BODY.length}`,
    ...extra,
  ].join('\r\n')}\r\n\r\n${BODY}`;
const get = (path: string, method = 'GET') =>
  `${method} ${path} HTTP/1.1\r\nHost: a\r\nx-api-key: ${KEY}\r\n\r\n`;

/** A handle whose calls wait until the test ends them. */
function holding(): { handle: Handle; next: () => Promise<Call>; finish: () => void } {
  const waiting: Call[] = [];
  let tell: ((call: Call) => void) | undefined;
  const ends: (() => void)[] = [];
  return {
    handle: (call) =>
      new Promise((resolve) => {
        ends.push(() => resolve(undefined));
        if (tell) tell(call);
        else waiting.push(call);
        tell = undefined;
      }),
    next: () =>
      new Promise((resolve) => {
        const call = waiting.shift();
        if (call) resolve(call);
        else tell = resolve;
      }),
    finish: () => {
      for (const end of ends.splice(0)) end();
    },
  };
}

test('a stream passes in the order it was written and ends with its terminating chunk', async () => {
  const handle: Handle = async ({ sink }) => {
    sink.head(200, { 'content-type': 'text/event-stream' });
    sink.write(Buffer.from('data: 1\n\n'));
    await new Promise(setImmediate);
    sink.write(Buffer.from('data: 2\n\n'));
    sink.end();
    return undefined;
  };
  edge = await openEdge({ handle });
  const answer = await sendRaw(edge.port, post(['x-client-request-id: run:1.a']));
  expect(answer.headers['x-request-id']).toBe('run:1.a');
  expect(answer.body).toBe('9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0\r\n\r\n');
});

test('a head goes out alone if no bytes follow it', async () => {
  const held = holding();
  edge = await openEdge({ handle: held.handle });
  const socket = await rawSocket(edge.port);
  socket.write(post());
  (await held.next()).sink.head(200, { 'content-type': 'text/event-stream' });
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  expect(chunk.toString()).toContain('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream');
  held.finish();
  socket.destroy();
});

test('a whole answer has its length and keeps the connection', async () => {
  edge = await openEdge();
  const answer = await sendRaw(edge.port, [post(), post()]);
  expect(answer.headers['content-length']).toBe('11');
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.closed).toBe(false);
});

test('a request id that could do harm is replaced', async () => {
  edge = await openEdge();
  const answer = await sendRaw(edge.port, post(['x-client-request-id: a b<script>']));
  expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
});

test.each(['/v1', '/openai/v1', ''])('chat completions are served under "%s"', async (prefix) => {
  edge = await openEdge();
  const answer = await sendRaw(edge.port, post([], `${prefix}/chat/completions`));
  expect(answer.status).toBe(200);
  expect(edge.calls).toHaveLength(1);
});

test('what the client claims reaches the call, and what may travel on does', async () => {
  edge = await openEdge();
  const lines = [
    'x-purser-person: ada',
    'x-purser-tags: team=red,__proto__=x',
    'x-purser-max-cost-usd: 0.25',
    'OpenAI-Beta: assistants',
    'OpenAI-Organization: org-1',
    'Connection: keep-alive, x-purser-task-id',
    '__proto__: x',
    'x_api_key: sk-other',
  ];
  await sendRaw(edge.port, post(lines));
  const call = edge.calls[0]!;
  expect(call.claims).toEqual({ person: 'ada', tags: { team: 'red' } });
  expect(call.maxCostNanoUsd).toBe(250_000_000);
  expect(call.passHeaders).toEqual({ 'openai-beta': 'assistants' });
  expect(call.credential).toBe(KEY);
});

test('trailers are not read', async () => {
  edge = await openEdge();
  const head = post(['Transfer-Encoding: chunked']).replace(/Content-Length: \d+\r\n/, '');
  const at = head.indexOf('\r\n\r\n') + 4;
  const body = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\nAuthorization: Bearer x\r\n\r\n`;
  const answer = await sendRaw(edge.port, head.slice(0, at) + body);
  expect(answer.status).toBe(200);
  expect(edge.calls[0]!.credential).toBe(KEY);
});

test.each(['reset', 'half-close', 'close'] as const)(
  'a client that leaves by a %s is noticed while its call runs',
  async (how) => {
    const held = holding();
    edge = await openEdge({ handle: held.handle });
    const socket = await rawSocket(edge.port);
    socket.write(post());
    const { sink } = await held.next();
    const left = new Promise<void>((resolve) => sink.onLeave(resolve));
    if (how === 'reset') socket.resetAndDestroy();
    else if (how === 'close') socket.destroy();
    else socket.end();
    await left;
    expect(sink.left).toBe(true);
    expect(sink.write(Buffer.from('x'))).toBe(true);
    sink.end();
    held.finish();
    socket.destroy();
  },
);

test('a reader that takes nothing and closes its sending half has left', async () => {
  const held = holding();
  edge = await openEdge({ handle: held.handle });
  const socket = await rawSocket(edge.port);
  socket.pause();
  socket.write(post());
  const { sink } = await held.next();
  sink.head(200, {});
  const left = new Promise<void>((resolve) => sink.onLeave(resolve));
  const piece = Buffer.alloc(1024 * 1024);
  for (let pieces = 0; pieces < 16; pieces += 1) sink.write(piece);
  socket.end();
  await left;
  held.finish();
  socket.destroy();
});

test('a client that left before anyone asked is told at once', async () => {
  const held = holding();
  edge = await openEdge({ handle: held.handle });
  const socket = await rawSocket(edge.port);
  socket.write(post());
  const { sink } = await held.next();
  const first = new Promise<void>((resolve) => sink.onLeave(resolve));
  socket.destroy();
  await first;
  let told = false;
  sink.onLeave(() => {
    told = true;
  });
  expect(told).toBe(true);
  held.finish();
});

test('a broken answer arrives as far as it was written, without a proper end', async () => {
  const handle: Handle = async ({ sink }) => {
    sink.onLeave(() => {
      throw new Error('the reader has not left: we broke it');
    });
    sink.head(200, { 'content-type': 'text/event-stream' });
    sink.write(Buffer.from('data: {"error":1}\n\n'));
    sink.destroy();
    return undefined;
  };
  edge = await openEdge({ handle });
  const answer = await sendRaw(edge.port, post(), { untilClose: true });
  expect(answer.body).toContain('data: {"error":1}\n\n');
  expect(answer.body).not.toContain('0\r\n\r\n');
  expect(answer.reset).toBe(false);
});

test('a slow reader is told of and drains', async () => {
  const held = holding();
  edge = await openEdge({ handle: held.handle });
  const socket = await rawSocket(edge.port);
  socket.pause();
  socket.write(post());
  const { sink } = await held.next();
  sink.head(200, {});
  const piece = Buffer.alloc(1024 * 1024);
  let pieces = 0;
  while (sink.write(piece) || pieces < 16) pieces += 1;
  const drained = new Promise<void>((resolve) => sink.onDrain(resolve));
  socket.resume();
  await drained;
  sink.end();
  held.finish();
  socket.destroy();
});

test('a concurrent twin of an Idempotency-Key is 409, a later one is not', async () => {
  const held = holding();
  edge = await openEdge({ handle: held.handle });
  const first = sendRaw(edge.port, post(['Idempotency-Key: a']));
  const call = await held.next();
  const twin = await sendRaw(edge.port, post(['Idempotency-Key: a']));
  expect(twin.status).toBe(409);
  expect(twin.body).toContain('idempotency_in_progress');
  call.sink.head(200, {});
  call.sink.end();
  held.finish();
  expect((await first).status).toBe(200);
  const later = sendRaw(edge.port, post(['Idempotency-Key: a']));
  const again = await held.next();
  again.sink.head(200, {});
  again.sink.end();
  held.finish();
  expect((await later).status).toBe(200);
});

test('100-continue is sent once the head was found good', async () => {
  edge = await openEdge();
  const answer = await sendRaw(edge.port, post(['Expect: 100-continue']));
  expect(answer.text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
});

test('pipelined requests are answered in their order', async () => {
  const handle: Handle = async ({ sink, requestId }) => {
    const turns = 20 - Number(requestId);
    for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
    sink.head(200, {});
    sink.end(Buffer.from(`<${requestId}>`));
    return undefined;
  };
  edge = await openEdge({ handle });
  const ids = Array.from({ length: 20 }, (_, index) => index);
  const socket = await rawSocket(edge.port);
  socket.write(ids.map((id) => post([`x-client-request-id: ${id}`])).join(''));
  let text = '';
  while (!text.includes('<19>')) text += ((await once(socket, 'data')) as [Buffer])[0].toString();
  expect([...text.matchAll(/<(\d+)>/g)].map((match) => Number(match[1]))).toEqual(ids);
  socket.destroy();
});

test('who reads only after it has sent all still gets the whole 413', async () => {
  edge = await openEdge({ bodyBytesMax: 1_000 });
  const head = post().replace(/Content-Length: \d+/, 'Content-Length: 50000');
  const socket = await rawSocket(edge.port);
  socket.pause();
  socket.write(head);
  for (let piece = 0; piece < 100; piece += 1) {
    await new Promise<void>((resolve) => socket.write(Buffer.alloc(400), () => resolve()));
    await new Promise(setImmediate);
  }
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  socket.resume();
  await once(socket, 'end');
  expect(text).toContain('413');
  expect(text).toContain('body_too_large');
});

test('a refusal becomes the error envelope, and a 402 says not to try again', async () => {
  const metadata = { scope: 'agent:coder-1', limit: '5.000000' };
  const handle: Handle = async () =>
    refuse('budget_exceeded', 'No money.', { metadata, headers: { 'x-purser-cost-usd': '0' } });
  edge = await openEdge({ handle });
  const answer = await sendRaw(edge.port, post());
  expect(answer.status).toBe(402);
  expect(answer.headers['x-should-retry']).toBe('false');
  expect(answer.headers['x-purser-cost-usd']).toBe('0');
  expect(JSON.parse(answer.body)).toEqual({
    error: {
      message: 'No money.',
      type: 'insufficient_quota',
      param: null,
      code: 'budget_exceeded',
      metadata,
    },
    request_id: answer.headers['x-request-id'],
  });
});

test('a call that fails inside is 500, is logged, and frees its place', async () => {
  const handle: Handle = async () => {
    throw new Error('a bug');
  };
  edge = await openEdge({ handle, callsMax: 1 });
  for (let round = 0; round < 3; round += 1) {
    const answer = await sendRaw(edge.port, post());
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain('a bug');
  }
  expect(edge.errors).toHaveLength(3);
});

test('a call over the most at once is 503 and reaches nobody', async () => {
  const held = holding();
  edge = await openEdge({ handle: held.handle, callsMax: 1 });
  const first = sendRaw(edge.port, post());
  const call = await held.next();
  const second = await sendRaw(edge.port, post());
  expect(second.status).toBe(503);
  expect(second.headers['retry-after']).toBe('1');
  expect(second.body).toContain('overloaded');
  call.sink.head(200, {});
  call.sink.end();
  held.finish();
  expect((await first).status).toBe(200);
  expect(edge.calls).toHaveLength(1);
});

test('while draining, running calls end whole, new ones are 503, and nobody is cut', async () => {
  const held = holding();
  edge = await openEdge({ handle: held.handle });
  const socket = await rawSocket(edge.port);
  socket.write(post());
  const call = await held.next();
  call.sink.head(200, { 'content-type': 'text/event-stream' });
  call.sink.write(Buffer.from('data: 1\n\n'));
  await once(socket, 'data');
  const other = await rawSocket(edge.port);
  other.write(post());
  const second = await held.next();
  edge.server.stopAccepting();
  await expect(sendRaw(edge.port, post())).rejects.toThrow('ECONNREFUSED');
  other.write(post());
  second.sink.head(200, {});
  second.sink.end(Buffer.from('ok'));
  const [text] = (await once(other, 'data')) as [Buffer];
  expect(text.toString()).toContain('connection: close');
  const closing = edge.server.close(5_000);
  call.sink.write(Buffer.from('data: 2\n\n'));
  call.sink.end();
  held.finish();
  let rest = '';
  socket.on('data', (chunk) => {
    rest += chunk.toString();
  });
  await once(socket, 'close');
  expect(rest).toContain('data: 2\n\n\r\n0\r\n\r\n');
  expect(await closing).toBe(0);
});

test('after the grace, whoever is left is cut and counted', async () => {
  const held = holding();
  edge = await openEdge({ handle: held.handle });
  const socket = await rawSocket(edge.port);
  socket.write(post());
  const call = await held.next();
  const left = new Promise<void>((resolve) => call.sink.onLeave(resolve));
  expect(await edge.server.close(0)).toBe(1);
  await left;
  held.finish();
});

test('models are listed in the shape of OpenAI, slashes in ids encoded or not', async () => {
  edge = await openEdge();
  const model = { id: 'openai/gpt-4o', object: 'model', created: 0, owned_by: 'openai' };
  const list = await sendRaw(edge.port, get('/v1/models'));
  expect(JSON.parse(list.body)).toEqual({ object: 'list', data: [model] });
  for (const path of ['/v1/models/openai/gpt-4o', '/v1/models/openai%2Fgpt-4o']) {
    expect(JSON.parse((await sendRaw(edge.port, get(path))).body)).toEqual(model);
  }
  const none = await sendRaw(edge.port, get('/v1/models/openai/gpt-9'));
  expect([none.status, JSON.parse(none.body).error.code]).toEqual([404, 'model_not_found']);
});

test('HEAD has no body, OPTIONS tells the methods, a wrong method is told the right ones', async () => {
  edge = await openEdge();
  const head = await sendRaw(
    edge.port,
    get('/v1/models', 'HEAD').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
    { untilClose: true },
  );
  expect([head.status, head.body]).toEqual([200, '']);
  const options = await sendRaw(edge.port, get('/v1/models', 'OPTIONS'));
  expect([options.status, options.headers.allow]).toEqual([204, 'GET, HEAD, OPTIONS']);
  expect(options.headers['access-control-allow-origin']).toBeUndefined();
  const wrong = await sendRaw(edge.port, get('/v1/chat/completions', 'DELETE'));
  expect([wrong.status, wrong.headers.allow]).toEqual([405, 'POST']);
});

test.each(['/healthz', '/readyz', '/health/liveliness', '/health/readiness'])(
  '%s answers without a key',
  async (path) => {
    edge = await openEdge();
    expect((await sendRaw(edge.port, get(path))).status).toBe(200);
  },
);

test('readiness is 503 as soon as something is not right', async () => {
  const ready = async () => ({ ok: false, checks: { ledger: 'closed' } });
  edge = await openEdge({ operators: { ready } });
  const answer = await sendRaw(edge.port, get('/readyz'));
  expect([answer.status, JSON.parse(answer.body)]).toEqual([
    503,
    { status: 'not_ready', checks: { ledger: 'closed' } },
  ]);
});
