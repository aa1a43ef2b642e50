import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Upstream } from '#src/core/upstream.js';
import { openUpstream } from '#src/drivers/upstream.js';
import {
  openScriptedUpstream,
  type ScriptedUpstream,
  type UpstreamPlan,
} from '../support/scripted-upstream.js';
import { send } from '../support/upstream-calls.js';
import { startUpstreamProcess } from '../support/upstream-process.js';

const body = 'data: {"a":1}\n\n'.repeat(40);
const all = ['returned', 'sent', 'head', 'bytes', 'end'];
let upstream: Upstream;
let scripted: ScriptedUpstream;

beforeEach(async () => {
  upstream = openUpstream();
  scripted = await openScriptedUpstream();
  scripted.plan({ body });
});
afterEach(async () => {
  await upstream.close();
  await scripted.close();
});

const once = async (plan: UpstreamPlan, options = {}) => {
  scripted.enqueue(plan);
  const call = send(upstream, `${scripted.url}/v1/x?y=1`, options);
  await call.ended;
  return call;
};

describe('an answer', () => {
  it('comes whole, in order, after `send` has returned, whatever its framing and pace', async () => {
    for (const framing of ['chunked', 'length', 'close'] as const) {
      const cuts = { seed: 7, count: 20 };
      const call = await once({ body, framing, cuts, paceMs: 1, headers: { 'X-Own': 'a' } });
      expect(call.seen).toEqual(all);
      expect(call.body).toBe(body);
      expect(call.status).toBe(200);
      expect(call.headers['x-own']).toBe('a');
    }
  });

  it('has been asked with our headers, the joined body, and no compression', async () => {
    await once({ body });
    const [request] = scripted.requests;
    expect(request).toMatchObject({ method: 'POST', path: '/v1/x?y=1', body: '{"model":"m"}' });
    expect(request?.headers).toMatchObject({
      'accept-encoding': 'identity',
      'content-type': 'application/json',
      'content-length': '13',
      connection: 'keep-alive',
    });
    expect(request?.headers['transfer-encoding']).toBeUndefined();
  });

  it('without a body is ended all the same, and a GET or DELETE has none', async () => {
    expect((await once({ body: '', status: 204, framing: 'length' })).seen).toEqual([
      'returned',
      'sent',
      'head',
      'end',
    ]);
    for (const method of ['GET', 'DELETE'] as const) {
      expect((await once({ body }, { method, body: null })).body).toBe(body);
      expect(scripted.requests.at(-1)).toMatchObject({ method, body: '' });
    }
  });

  it('is not followed to where it points', async () => {
    const call = await once({ status: 302, headers: { location: `${scripted.url}/else` }, body });
    expect(call.status).toBe(302);
    expect(scripted.requests).toHaveLength(1);
  });

  it('may be announced by 100 and 103, cut anywhere', async () => {
    expect((await once({ interim: [100, 103, 100], body })).body).toBe(body);
    expect((await once({ interim: [100, 103, 100], paceMs: 2, body })).body).toBe(body);
    const raw =
      'HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
    for (let at = 1; at < raw.length; at++) {
      const call = await rawAnswer([raw.slice(0, at), raw.slice(at)]);
      expect([call.body, call.seen.at(-1)], `cut at ${at}`).toEqual(['ok', 'end']);
    }
  });
});

describe('connections', () => {
  it('are kept and used again, one call at a time', async () => {
    for (let i = 0; i < 3; i++) await once({ body });
    expect(new Set(scripted.requests.map((request) => request.connection)).size).toBe(1);
    scripted.plan({ body, hold: true });
    const calls = [1, 2, 3].map(() => send(upstream, scripted.url));
    await scripted.received(6);
    scripted.release();
    await Promise.all(calls.map((call) => call.ended));
    const used = scripted.requests.slice(3).map((request) => request.connection);
    expect(new Set(used).size).toBe(3);
  });

  it('are bounded while idle', async () => {
    const few = openUpstream({ idleMax: 2 });
    scripted.plan({ body, hold: true });
    const calls = Array.from({ length: 6 }, () => send(few, scripted.url));
    await scripted.received(6);
    expect(scripted.openConnections).toBe(6);
    scripted.release();
    await Promise.all(calls.map((call) => call.ended));
    await expect.poll(() => scripted.openConnections).toBe(2);
    await few.close();
    await expect.poll(() => scripted.openConnections).toBe(0);
  });

  it('that a failed call had are not used again', async () => {
    await once({ body, stallAt: 5 }, { idleTimeoutMs: 30 });
    await once({ body });
    expect(scripted.requests.map((request) => request.connection)).toEqual([1, 2]);
    await expect.poll(() => scripted.openConnections).toBe(1);
  });

  it('that were closed while idle are not used again', async () => {
    await once({ body, headers: { connection: 'close' } });
    expect((await once({ body })).seen).toEqual(all);
  });
});

describe('a failure', () => {
  const failing = async (plan: UpstreamPlan, options = {}) => (await once(plan, options)).failure;

  it('of a connection says that nothing was sent', async () => {
    const refused = send(upstream, 'http://127.0.0.1:1/');
    await refused.ended;
    expect(refused.seen).toEqual(['returned', 'fail']);
    expect(refused.failure).toMatchObject({ kind: 'connect', sent: false });
    const nameless = send(upstream, 'http://no-such-name.invalid/');
    await nameless.ended;
    expect(nameless.failure).toMatchObject({ kind: 'connect', sent: false });
    const plain = send(upstream, scripted.url.replace('http:', 'https:'));
    await plain.ended;
    expect(plain.failure).toMatchObject({ kind: 'connect', sent: false });
  });

  it('to connect in time says so', async () => {
    const mute = await listen(() => {});
    const call = send(upstream, mute.url.replace('http:', 'https:'), { connectTimeoutMs: 40 });
    await call.ended;
    expect(call.failure).toMatchObject({ kind: 'connect_timeout', sent: false });
    mute.close();
  });

  it('to bring a first byte of the body in time says so, head or no head', async () => {
    const late = { kind: 'first_byte_timeout', sent: true };
    expect(await failing({ silent: true }, { firstByteTimeoutMs: 40 })).toMatchObject(late);
    expect(await failing({ body, stallAt: 0 }, { firstByteTimeoutMs: 40 })).toMatchObject(late);
    const slow = { body, cuts: { at: [100, 200] }, paceMs: 60 };
    expect(await failing(slow, { firstByteTimeoutMs: 40 })).toBeUndefined();
  });

  it('to bring more bytes in time says so, with what came before', async () => {
    const call = await once({ body, stallAt: 100 }, { idleTimeoutMs: 40 });
    expect(call.body).toBe(body.slice(0, 100));
    expect(call.failure).toMatchObject({ kind: 'idle_timeout', sent: true });
    await scripted.closed(0);
  });

  it('is not told of bytes that came in time while our own loop was blocked', async () => {
    const apart = await startUpstreamProcess();
    await apart.plan({ body, cuts: { at: [10, 20] }, paceMs: 40 });
    const call = send(upstream, apart.url, { idleTimeoutMs: 100 }, ({ body: had }) => {
      if (had.length === 10) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 250);
    });
    await call.ended;
    expect(call.failure).toBeUndefined();
    expect(call.body).toBe(body);
    await apart.stop();
  });

  it('of a connection that breaks says so, at any byte and by any way', async () => {
    for (const dieBy of ['fin', 'reset'] as const) {
      for (const framing of ['chunked', 'length'] as const) {
        for (const dieAt of [0, 1, 100, body.length]) {
          const call = await once({ body, dieAt, dieBy, framing });
          if (framing === 'length' && dieAt === body.length) expect(call.seen.at(-1)).toBe('end');
          else expect(call.failure).toMatchObject({ kind: 'reset', sent: true });
          expect(body.startsWith(call.body)).toBe(true);
          if (dieBy === 'fin') expect(call.body).toHaveLength(dieAt);
        }
      }
    }
  });

  it('of a connection used before, that dies without a byte, says that the request was sent', async () => {
    await once({ body });
    expect(await failing({ raw: '' })).toMatchObject({ kind: 'reset', sent: true });
    expect(scripted.requests).toHaveLength(2);
  });

  it('of the protocol says so', async () => {
    const wrong = { kind: 'protocol', sent: true };
    expect(await failing({ raw: 'SSH-2.0-x\r\n\r\n' })).toMatchObject(wrong);
    expect(await failing({ raw: 'HTTP/1.1 000 x\r\n\r\n' })).toMatchObject(wrong);
    const upgrade = 'HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: y\r\n\r\n';
    expect(await failing({ raw: upgrade })).toMatchObject(wrong);
    const long = `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`;
    expect(await failing({ raw: long })).toMatchObject(wrong);
    const many = `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}\r\n`;
    expect(await failing({ raw: many })).toMatchObject(wrong);
    const zipped = await once({ body, headers: { 'content-encoding': 'gzip' } });
    expect(zipped.failure).toMatchObject(wrong);
    expect(zipped.seen).toEqual(['returned', 'sent', 'fail']);
  });

  it('of a request that may not be written says that nothing was sent', async () => {
    const call = await once({ body }, { headers: { 'x-a': 'b\r\nc: d' } });
    expect(call.seen).toEqual(['returned', 'fail']);
    expect(call.failure).toMatchObject({ kind: 'protocol', sent: false });
    expect(scripted.requests).toHaveLength(0);
    const file = send(upstream, 'file:///etc/passwd');
    await file.ended;
    expect(file.failure).toMatchObject({ kind: 'blocked', sent: false });
  });

  it('of what a handler throws ends that call and no other', async () => {
    const other = send(upstream, scripted.url);
    const call = send(upstream, scripted.url, {}, () => {
      throw new Error('a bug of ours');
    });
    await Promise.all([call.ended, other.ended]);
    expect(call.failure).toMatchObject({ kind: 'protocol', message: 'a bug of ours' });
    expect(other.seen.at(-1)).toBe('end');
  });
});

describe('an abort', () => {
  it('before the connection, before the answer and within it: one failure, nothing after', async () => {
    const early = send(upstream, scripted.url);
    early.call.abort();
    await early.ended;
    expect(early.seen).toEqual(['returned', 'fail']);
    expect(early.failure).toMatchObject({ kind: 'aborted', sent: false });

    scripted.plan({ silent: true });
    const waiting = send(upstream, scripted.url);
    await scripted.received(1);
    waiting.call.abort();
    waiting.call.abort();
    await waiting.ended;
    expect(waiting.seen).toEqual(['returned', 'sent', 'fail']);
    expect(waiting.failure).toMatchObject({ kind: 'aborted', sent: true });
    await scripted.closed(0);

    scripted.plan({ body, cuts: { seed: 1, count: 50 }, paceMs: 1 });
    const within = send(upstream, scripted.url);
    await within.bytes(100);
    within.call.abort();
    const had = within.body.length;
    await within.ended;
    expect(within.seen).toEqual(['returned', 'sent', 'head', 'bytes', 'fail']);
    expect(within.body).toHaveLength(had);
    expect((await scripted.closed(1)).complete).toBe(false);
  });

  it('from inside a callback, and after the end', async () => {
    const inside = send(upstream, scripted.url, {}, ({ call }) => call.abort());
    await inside.ended;
    expect(inside.seen).toEqual(['returned', 'sent', 'head', 'bytes', 'fail']);
    const done = await once({ body });
    done.call.abort();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(done.seen).toEqual(all);
  });

  it('of all calls is what closing the driver does', async () => {
    scripted.plan({ silent: true });
    const calls = [1, 2, 3].map(() => send(upstream, scripted.url));
    await scripted.received(3);
    await upstream.close();
    await Promise.all(calls.map((call) => call.ended));
    expect(calls.map((call) => call.failure?.kind)).toEqual(['aborted', 'aborted', 'aborted']);
    await expect.poll(() => scripted.openConnections).toBe(0);
  });
});

describe('a pause', () => {
  it('stops the wire, so that the upstream is stopped too, and loses no byte', async () => {
    const long = 'x'.repeat(32 << 20);
    scripted.enqueue({ body: long, cuts: { seed: 3, count: 500 } });
    const call = send(upstream, scripted.url, { idleTimeoutMs: 30 }, (state) => {
      if (state.seen.filter((name) => name === 'paused').length === 0) {
        state.seen.push('paused');
        state.call.pause();
      }
    });
    await call.bytes(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(scripted.requests[0]?.complete).toBe(false);
    expect(call.body.length).toBeLessThan(1 << 20);
    expect(call.failure).toBeUndefined();
    call.call.resume();
    await call.ended;
    expect(call.body.length).toBe(long.length);
    expect(call.failure).toBeUndefined();
  });

  it('and a resume within one callback are nothing', async () => {
    const call = send(upstream, scripted.url, {}, (state) => {
      state.call.pause();
      state.call.resume();
    });
    await call.ended;
    expect(call.seen).toEqual(all);
    expect(call.body).toBe(body);
  });

  it('over, bytes must come in time again', async () => {
    scripted.enqueue({ body, stallAt: 50 });
    const call = send(upstream, scripted.url, { idleTimeoutMs: 30 }, (state) => state.call.pause());
    await call.bytes(50);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(call.failure).toBeUndefined();
    call.call.resume();
    await call.ended;
    expect(call.failure?.kind).toBe('idle_timeout');
  });

  it('after the end holds up nobody who has the connection by then', async () => {
    const first = await once({ body });
    scripted.enqueue({ body, cuts: { at: [10, 20] }, paceMs: 5 });
    const second = send(upstream, scripted.url);
    await second.bytes(10);
    first.call.pause();
    await second.ended;
    expect([second.body, second.seen.at(-1)]).toEqual([body, 'end']);
    expect(new Set(scripted.requests.map((request) => request.connection)).size).toBe(1);
  });

  it('can be aborted', async () => {
    scripted.enqueue({ body, cuts: { at: [50] }, paceMs: 5 });
    const call = send(upstream, scripted.url, {}, (state) => state.call.pause());
    await call.bytes(1);
    call.call.abort();
    await call.ended;
    expect(call.failure?.kind).toBe('aborted');
  });
});

describe('addresses', () => {
  it.each([
    '127.0.0.1',
    'localhost',
    '[::1]',
    '0.0.0.0',
    '2130706433',
    '0x7f.1',
    '10.1.2.3',
    '169.254.169.254',
    '[::ffff:127.0.0.1]',
    '[fd00::1]',
  ])('%s is not dialled without permission', async (host) => {
    const call = send(upstream, `http://${host}:${scripted.port}/`, { allowPrivate: false });
    await call.ended;
    expect(call.failure).toMatchObject({ kind: 'blocked', sent: false });
    expect(scripted.requests).toHaveLength(0);
  });

  it('have no connections in common with and without permission', async () => {
    await once({ body });
    const call = await once({ body }, { allowPrivate: false });
    expect(call.failure?.kind).toBe('blocked');
  });
});

interface Listener {
  url: string;
  close(): void;
}

function listen(onSocket: (socket: Socket) => void): Promise<Listener> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      const close = () => {
        server.close();
        for (const socket of sockets) socket.destroy();
      };
      resolve({ url: `http://127.0.0.1:${port}/`, close });
    });
  });
}

async function rawAnswer(parts: string[]) {
  const server = await listen((socket) => {
    socket.setNoDelay(true);
    socket.once('data', async () => {
      for (const part of parts) {
        socket.write(part, 'latin1');
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    });
  });
  const call = send(upstream, server.url);
  await call.ended;
  server.close();
  return call;
}
