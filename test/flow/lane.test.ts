// The lane's own life: what it reads by itself, what becomes of connections that pipeline, are
// slow, idle, leave or do not read, and that nothing of them is left running.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Call } from '#src/core/call.js';
import { type Edge, type Handle, openEdge } from '../support/edge.js';
import { rawSocket, sendRaw } from '../support/raw-http.js';
import { BODY, LINES, requestOf } from '../support/requests.js';

let edge: Edge | undefined;
afterEach(async () => {
  await edge?.server.close(0);
  edge = undefined;
});

const PLAIN = requestOf(LINES);
const HEAD = PLAIN.slice(0, -BODY.length);
const sized = (body: string) =>
  requestOf([...LINES.slice(0, 3), `Content-Length: ${body.length}`], body);

/** Reads on until the pattern was heard. */
async function heard(socket: Socket, pattern: RegExp): Promise<string> {
  let text = '';
  while (!pattern.test(text)) text += ((await once(socket, 'data')) as [Buffer])[0].toString();
  return text;
}

/** Calls that wait until they are told to answer. */
function holding() {
  const calls: Call[] = [];
  let tell = (): void => {};
  const handle: Handle = (call) => {
    calls.push(call);
    tell();
    return new Promise((resolve) => call.sink.onLeave(() => resolve(undefined)));
  };
  const next = async (): Promise<Call> => {
    if (calls.length === 0) {
      await new Promise<void>((resolve) => {
        tell = resolve;
      });
    }
    return calls.shift()!;
  };
  return { handle, next, calls };
}

function answerWith(call: Call, body = 'ok'): void {
  call.sink.head(200, {});
  call.sink.end(Buffer.from(body));
}

test('a request that waits for the answer before it is not begun', async () => {
  const { handle, next, calls } = holding();
  edge = await openEdge({ handle });
  const socket = await rawSocket(edge.port);
  socket.write(PLAIN + PLAIN + PLAIN.slice(0, 30));
  const first = await next();
  expect(calls).toHaveLength(0);
  answerWith(first, 'one');
  expect(await heard(socket, /one$/)).toContain('Connection: keep-alive');
  answerWith(await next(), 'two');
  await heard(socket, /two$/);
  socket.write(PLAIN.slice(30));
  answerWith(await next(), 'three');
  await heard(socket, /three$/);
  socket.destroy();
});

test('who sends without end while a call runs is not read without end', async () => {
  const { handle, next } = holding();
  edge = await openEdge({ handle });
  const socket = await rawSocket(edge.port);
  socket.write(PLAIN);
  await next();
  const before = process.memoryUsage().arrayBuffers;
  const piece = Buffer.alloc(1024 * 1024, PLAIN);
  for (let pieces = 0; pieces < 32; pieces += 1) socket.write(piece);
  // It has been read as far as it is going to be when others have been answered meanwhile.
  for (let others = 0; others < 20; others += 1) {
    expect((await sendRaw(edge.port, 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200);
  }
  expect(socket.writableLength).toBeGreaterThan(16 * piece.length);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * piece.length);
  socket.destroy();
});

test('a body in many pieces arrives whole, and what comes after it is the next request', async () => {
  edge = await openEdge();
  const content = 'x'.repeat(60_000);
  const request = sized(`{"model":"m","messages":[{"role":"user","content":"${content}"}]}`);
  const socket = await rawSocket(edge.port);
  for (let at = 0; at < request.length; at += 7_000) {
    await new Promise<void>((resolve) =>
      socket.write(request.slice(at, at + 7_000), () => resolve()),
    );
    await new Promise(setImmediate);
  }
  await heard(socket, /\{"ok":true\}$/);
  socket.write(PLAIN);
  await heard(socket, /\{"ok":true\}$/);
  expect(edge.calls.map((call) => call.body.raw.length)).toEqual([
    request.length - request.indexOf('\r\n\r\n') - 4,
    BODY.length,
  ]);
  socket.destroy();
});

test('a connection is handed over between two requests, with what it was sending', async () => {
  edge = await openEdge();
  const socket = await rawSocket(edge.port);
  socket.write(`${PLAIN}GET /heal`);
  await heard(socket, /\{"ok":true\}$/);
  socket.write('thz HTTP/1.1\r\nHost: a\r\n\r\n');
  await heard(socket, /"status":"ok"\}$/);
  socket.write(PLAIN);
  await heard(socket, /\{"ok":true\}$/);
  expect(edge.calls).toHaveLength(2);
  socket.destroy();
});

test.each([
  ['sends nothing', '', /^HTTP\/1\.1 408 /],
  ['stops in a head', HEAD.slice(0, 50), /^HTTP\/1\.1 408 /],
  ['stops in a body', HEAD + BODY.slice(0, 9), /^HTTP\/1\.1 408 /],
  ['asks and then no more', PLAIN, /^HTTP\/1\.1 200 [\s\S]*ok":true\}$/],
])('who %s is not waited for', async (_name, bytes, answer) => {
  edge = await openEdge({ headersTimeoutMs: 200, keepAliveMs: 200, bodyIdleMs: 200 });
  const socket = await rawSocket(edge.port);
  if (bytes !== '') socket.write(bytes);
  expect(await heardAll(socket)).toMatch(answer);
});

test('a body that comes drop by drop has its time, and no more', async () => {
  edge = await openEdge({ headersTimeoutMs: 300, requestTimeoutMs: 300, bodyIdleMs: 5_000 });
  const socket = await rawSocket(edge.port);
  socket.write(HEAD);
  const drops = setInterval(() => socket.writable && socket.write(' '), 20);
  const text = await heardAll(socket);
  clearInterval(drops);
  expect(text).toMatch(/^HTTP\/1\.1 408 /);
  expect(edge.calls).toHaveLength(0);
});

async function heardAll(socket: Socket): Promise<string> {
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  return text;
}

test('a half-close in a body is no request, and one after it is a client that left', async () => {
  const { handle, next } = holding();
  edge = await openEdge({ handle });
  const cut = await rawSocket(edge.port);
  cut.end(HEAD + BODY.slice(0, 9));
  expect(await heardAll(cut)).toMatch(/^HTTP\/1\.1 400 /);
  const gone = await rawSocket(edge.port);
  gone.end(PLAIN);
  const call = await next();
  await new Promise<void>((resolve) => call.sink.onLeave(resolve));
  expect(await heardAll(gone)).toBe('');
});

const PHASES: readonly [string, string, boolean][] = [
  ['before it says anything', '', false],
  ['in a head', HEAD.slice(0, 50), false],
  ['in a body', HEAD + BODY.slice(0, 9), false],
  ['while its call runs', PLAIN, true],
  ['with another request behind it', PLAIN + PLAIN, true],
];

test.each(PHASES)('a reset %s leaves nothing running', async (_name, bytes, runs) => {
  const { handle, next } = holding();
  edge = await openEdge({ handle });
  const socket = await rawSocket(edge.port);
  if (bytes !== '') await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
  const call = runs ? await next() : undefined;
  socket.resetAndDestroy();
  if (call) await new Promise<void>((resolve) => call.sink.onLeave(resolve));
  expect((await sendRaw(edge.port, 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200);
  expect(edge.calls).toHaveLength(runs ? 1 : 0);
  expect(await edge.server.close(5_000)).toBe(0);
  expect(edge.errors).toEqual([]);
});

test('a reader that stops in a stream pauses it, and every byte comes when it goes on', async () => {
  const { handle, next } = holding();
  edge = await openEdge({ handle });
  const socket = await rawSocket(edge.port);
  socket.pause();
  socket.write(PLAIN);
  const { sink } = await next();
  sink.head(200, { 'content-type': 'text/event-stream' });
  const piece = Buffer.alloc(100_000, 'z');
  let flowing = true;
  for (let pieces = 0; pieces < 200; pieces += 1) flowing = sink.write(piece);
  expect(flowing).toBe(false);
  const drained = new Promise<void>((resolve) => sink.onDrain(resolve));
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.resume();
  await drained;
  sink.end(Buffer.from('y'));
  while (!text.endsWith('1\r\ny\r\n0\r\n\r\n')) await once(socket, 'data');
  expect(text.split('z')).toHaveLength(200 * piece.length + 1);
  socket.destroy();
});

const SIZES = [0, 1, 15, 16, 8_192, 8_193, 16_384, 16_385, 300_000];
test.each(SIZES)('an answer of %i bytes arrives whole, as one and in chunks', async (size) => {
  const bytes = Buffer.alloc(size, '\xe9', 'latin1');
  const handle: Handle = async ({ sink, requestId }) => {
    sink.head(200, {});
    if (requestId === 'chunks') {
      sink.write(bytes);
      sink.write(bytes);
    }
    sink.end(bytes);
    return undefined;
  };
  edge = await openEdge({ handle });
  const chunk = size === 0 ? '' : `${size.toString(16)}\r\n${bytes.toString('latin1')}\r\n`;
  const named = (id: string) => requestOf([...LINES, `x-client-request-id: ${id}`]);
  // Both on one connection: the second is answered where the first has ended.
  const socket = await rawSocket(edge.port);
  let text = '';
  socket.on('data', (piece) => {
    text += piece.toString('latin1');
  });
  socket.write(named('whole') + named('chunks'));
  while (!text.endsWith('0\r\n\r\n')) await once(socket, 'data');
  const [, first = '', second] = text.split('HTTP/1.1 200 OK');
  expect(first).toContain(`content-length: ${size}\r\n`);
  expect(first.slice(first.indexOf('\r\n\r\n') + 4)).toBe(bytes.toString('latin1'));
  const body = second?.slice(second.indexOf('\r\n\r\n') + 4);
  expect(body).toBe(`${chunk.repeat(3)}0\r\n\r\n`);
  socket.destroy();
});

test('a header that would break out of its line is never sent', async () => {
  const handle: Handle = async ({ sink }) => {
    sink.head(200, { 'x-a': 'b\r\nx-b: c' });
    sink.end(Buffer.from('ok'));
    return undefined;
  };
  edge = await openEdge({ handle });
  const answer = await sendRaw(edge.port, PLAIN);
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain('x-b');
  expect(edge.errors).toHaveLength(1);
});

test('a status without a body has none, whatever is written', async () => {
  const handle: Handle = async ({ sink }) => {
    sink.head(204, {});
    sink.write(Buffer.from('no'));
    sink.end(Buffer.from('nothing'));
    return undefined;
  };
  edge = await openEdge({ handle });
  const socket = await rawSocket(edge.port);
  socket.write(PLAIN + PLAIN);
  const text = await heard(socket, /(204 No Content[\s\S]*){2}\r\n\r\n$/);
  expect(text).not.toMatch(/nothing|chunked|content-length/);
  socket.destroy();
});

test('over the most connections at once nobody is let in, whoever reads them', async () => {
  edge = await openEdge({ connectionsMax: 2 });
  const [lane, node] = [await rawSocket(edge.port), await rawSocket(edge.port)];
  lane.write(PLAIN);
  await heard(lane, /ok":true\}$/);
  node.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
  await heard(node, /"status":"ok"\}$/);
  const third = await rawSocket(edge.port);
  expect(await heardAll(third)).toBe('');
  lane.destroy();
  await expect.poll(async () => (await sendRaw(edge!.port, PLAIN)).status).toBe(200);
  node.destroy();
});

test('when it stops, idle connections end at once, and one that runs after its answer', async () => {
  const { handle, next } = holding();
  edge = await openEdge({ handle });
  const idle = await rawSocket(edge.port);
  idle.write(PLAIN);
  answerWith(await next());
  await heard(idle, /ok$/);
  const running = await rawSocket(edge.port);
  running.write(PLAIN);
  const call = await next();
  edge.server.stopAccepting();
  await once(idle, 'close');
  answerWith(call);
  expect(await heardAll(running)).toMatch(/connection: close[\s\S]*ok$/);
  expect(await edge.server.close(5_000)).toBe(0);
});
