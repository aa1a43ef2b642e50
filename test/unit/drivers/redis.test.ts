// The door to Redis, against a server that says no in every way there is.

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { realClock } from '#src/drivers/clock.js';
import { openRedis, type Redis } from '#src/drivers/redis.js';
import { RedisUnavailable } from '#src/drivers/redis-errors.js';
import { scriptOf } from '#src/drivers/scripts.js';

const script = scriptOf('one', 'return 1');
// The last bulk of a command is enough to tell commands apart here.
let answer: (command: string, socket: Socket) => string | undefined;
let server: Server;
let sockets: Socket[];
let redis: Redis;
let asked: string[];
/** Reads of the server. */
let heard: number;

beforeEach(async () => {
  asked = [];
  heard = 0;
  sockets = [];
  answer = () => undefined;
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      heard += 1;
      for (const command of bytes.toString().split(/(?=^\*\d+\r\n)/m)) {
        const name = command.split('\r\n')[2]?.toLowerCase() ?? '';
        asked.push(name);
        const reply = answer(name, socket) ?? defaultAnswer(name);
        if (reply !== '') socket.write(reply);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  redis = openRedis({
    urls: [`redis://127.0.0.1:${port}`],
    clock: realClock,
    commandTimeoutMs: 50,
    probeEveryMs: 10,
  });
  await redis.ready(5_000);
});

afterEach(async () => {
  await redis.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

function defaultAnswer(name: string): string {
  if (name === 'info') return '$16\r\nredis_version:7\n\r\n';
  return name === 'get' ? '$-1\r\n' : '+OK\r\n';
}

const failure = (promise: Promise<unknown>): Promise<RedisUnavailable> =>
  promise.then(
    () => {
      throw new Error('it was answered');
    },
    (error: RedisUnavailable) => error,
  );

test.each([
  ['LOADING Redis is loading the dataset in memory', 'loading', 'not_done', true],
  ['CLUSTERDOWN Hash slot not served', 'cluster_down', 'not_done', true],
  ['MASTERDOWN Link with MASTER is down', 'cluster_down', 'not_done', true],
  [
    'READONLY Can not run script with write flag on readonly replica.',
    'readonly',
    'not_done',
    true,
  ],
  ['NOAUTH Authentication required.', 'credentials', 'not_done', true],
  ['WRONGPASS invalid username-password pair', 'credentials', 'not_done', true],
  [
    "NOPERM this user has no permissions to run the 'x' command",
    'not_permitted',
    'not_done',
    false,
  ],
  ['BUSY Redis is busy running a script', 'busy', 'not_done', true],
  [
    "MISCONF Redis is configured to save RDB snapshots, but it's",
    'not_persisting',
    'not_done',
    false,
  ],
  ["OOM command not allowed when used memory > 'maxmemory'", 'memory', 'not_done', false],
  ['NOREPLICAS Not enough good replicas to write.', 'replicas', 'not_done', false],
  ['MOVED 3999 127.0.0.1:6381', 'cluster_down', 'not_done', true],
  ['ERR value is not an integer script: abc, on @user_script:1.', 'failed', 'unknown', false],
  ['WRONGTYPE Operation against a key', 'failed', 'unknown', false],
])('%s: is no answer, and its text stays inside', async (text, reason, outcome, opens) => {
  answer = (name) => (name === 'evalsha' || (opens && name === 'get') ? `-${text}\r\n` : undefined);
  const error = await failure(redis.run(script, [], []));
  expect(error).toBeInstanceOf(RedisUnavailable);
  expect([error.reason, error.outcome]).toEqual([reason, outcome]);
  expect(error.message).toBe(`redis cannot answer: ${reason}`);
  expect(error.cause).toBeUndefined();
  expect(error.text).toBe(text);
  expect(redis.isUp).toBe(!opens);
});

test('a command that is not answered in time is unknown, and the next is not sent', async () => {
  answer = (name) => (name === 'evalsha' || name === 'get' ? '' : undefined);
  const first = await failure(redis.run(script, [], []));
  expect([first.reason, first.outcome]).toEqual(['timeout', 'unknown']);
  const sent = asked.filter((name) => name === 'evalsha').length;
  const second = await failure(redis.run(script, [], []));
  expect([second.reason, second.outcome]).toEqual(['breaker_open', 'not_done']);
  expect(asked.filter((name) => name === 'evalsha').length).toBe(sent);
  const through = await failure(redis.run(script, [], [], { through: true }));
  expect(through.reason).toBe('timeout');
});

test('an answer that came in time counts, however long our own loop was blocked', async () => {
  answer = (name) => {
    if (name === 'evalsha') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
    return undefined;
  };
  expect(await redis.run(script, [], [])).toBe('OK');
  expect(await Promise.all([redis.command('get', 'a'), redis.run(script, [], [])])).toHaveLength(2);
  expect(redis.isUp).toBe(true);
});

test('a probe that is answered closes the breaker', async () => {
  let isMute = true;
  const owed = new Map<Socket, number>();
  answer = (name, socket) => {
    if (!isMute || (name !== 'evalsha' && name !== 'get')) return undefined;
    owed.set(socket, (owed.get(socket) ?? 0) + 1);
    return '';
  };
  await failure(redis.run(script, [], []));
  expect(redis.isUp).toBe(false);
  isMute = false;
  // A server that was only slow answers everything, late and in order.
  for (const [socket, count] of owed) socket.write('+LATE\r\n'.repeat(count));
  await expect.poll(() => redis.isUp).toBe(true);
  expect(await redis.run(script, [], [])).toBe('OK');
});

test.each([
  ['the lane', 1],
  ['the client', 0],
])('on which nothing is ever answered, %s is given up for a new one', async (_name, which) => {
  const mute = sockets[which];
  answer = (name, socket) =>
    socket === mute && (name === 'evalsha' || name === 'get' || name === 'ping') ? '' : undefined;
  await failure(which === 1 ? redis.run(script, [], []) : redis.pipeline([['ping']]));
  await expect.poll(() => redis.isUp, { timeout: 5_000 }).toBe(true);
  expect(mute?.destroyed).toBe(true);
  expect(sockets.length).toBe(4);
  expect(await redis.run(script, [], [])).toBe('OK');
});

test('what was sent when the connection broke is unknown, and is not sent again', async () => {
  answer = (name, socket) => {
    if (name !== 'evalsha') return undefined;
    socket.destroy();
    return '';
  };
  const error = await failure(redis.run(script, [], []));
  expect([error.reason, error.outcome]).toEqual(['closed', 'unknown']);
  await expect.poll(() => redis.isUp).toBe(true);
  expect(asked.filter((name) => name === 'evalsha').length).toBe(1);
});

test('a lane that is lost is made again, and the client carries what comes meanwhile', async () => {
  const [client, lane] = sockets;
  const by: (Socket | undefined)[] = [];
  answer = (name, socket) => {
    if (name === 'evalsha') by.push(socket);
    return undefined;
  };
  await redis.run(script, [], []);
  lane!.destroy();
  await expect
    .poll(async () => {
      expect(await redis.run(script, [], [])).toBe('OK');
      return by.at(-1) === sockets[2];
    })
    .toBe(true);
  expect(by[0]).toBe(lane);
  expect(by).toContain(client);
  expect(redis.isUp).toBe(true);
});

test('what is no reply ends the lane, and nothing is taken for an answer', async () => {
  const [, lane] = sockets;
  answer = (name, socket) => (name === 'evalsha' && socket === lane ? '?\r\n' : undefined);
  const both = await Promise.all([1, 2].map(() => failure(redis.run(script, [], []))));
  expect(both.map(({ reason, outcome }) => [reason, outcome])).toEqual([
    ['closed', 'unknown'],
    ['closed', 'unknown'],
  ]);
  await expect.poll(() => redis.isUp).toBe(true);
  expect(await redis.run(script, [], [])).toBe('OK');
});

test('a reply that nobody has asked for ends the lane', async () => {
  const [, lane] = sockets;
  lane!.write('+OK\r\n');
  await expect.poll(() => lane!.destroyed).toBe(true);
  await expect.poll(() => redis.isUp).toBe(true);
  expect(await redis.run(script, [], [])).toBe('OK');
});

test('commands of one turn leave in one write', async () => {
  const writes = heard;
  await Promise.all([1, 2, 3].map(() => redis.run(script, ['k'], ['a'])));
  expect(heard - writes).toBe(1);
});

test('what was sent before its connection closed rejects, all of it', async () => {
  let seen = 0;
  answer = (name, socket) => {
    if (name !== 'evalsha') return undefined;
    seen += 1;
    if (seen === 2) socket.destroy();
    return seen === 1 ? undefined : '';
  };
  const told = await Promise.allSettled([1, 2, 3].map(() => redis.run(script, [], [])));
  expect(told.filter(({ status }) => status === 'rejected').length).toBeGreaterThanOrEqual(2);
});

test('nothing is sent or retried once it is closed', async () => {
  await redis.close();
  await expect.poll(() => sockets.every((socket) => socket.destroyed)).toBe(true);
  expect((await failure(redis.run(script, [], []))).reason).toBe('closed');
  expect(sockets.length).toBe(2);
});

test('a forgotten script is sent whole, once', async () => {
  answer = (name) => (name === 'evalsha' ? '-NOSCRIPT No matching script.\r\n' : undefined);
  expect(await redis.run(script, ['k'], ['a'])).toBe('OK');
  expect(asked.slice(-2)).toEqual(['evalsha', 'eval']);
  expect(redis.isUp).toBe(true);
});

test('before a script that was forgotten the preface runs; where it cannot, nothing else', async () => {
  answer = (name) => (name === 'evalsha' ? '-NOSCRIPT No matching script.\r\n' : undefined);
  redis.prefaceWith({ script: scriptOf('first', 'return 1'), keys: ['k'], args: [] });
  expect(await redis.run(script, [], [])).toBe('OK');
  expect(asked.slice(-3)).toEqual(['evalsha', 'eval', 'eval']);
  const refusals = { evalsha: '-NOSCRIPT No matching script.\r\n', eval: '-ERR no\r\n' };
  answer = (name) => refusals[name as 'eval'];
  expect((await failure(redis.run(script, [], []))).reason).toBe('failed');
  expect(asked.slice(-2)).toEqual(['evalsha', 'eval']);
});

test('nothing waits for a server that is not there', async () => {
  server.close();
  for (const socket of sockets) socket.destroy();
  await expect.poll(() => redis.isUp).toBe(false);
  const error = await failure(redis.run(script, [], [], { through: true }));
  expect(error.reason).toBe('closed');
  await expect(redis.ready(30)).rejects.toBeInstanceOf(RedisUnavailable);
});

test('a server that comes late is ready with its first answer', async () => {
  const { port } = server.address() as { port: number };
  server.close();
  for (const socket of sockets) socket.destroy();
  await once(server, 'close');
  const late = openRedis({ urls: [`redis://127.0.0.1:${port}`], clock: realClock });
  const isReady = late.ready(10_000);
  await expect.poll(() => late.isUp).toBe(false);
  server.listen(port, '127.0.0.1');
  await isReady;
  expect(late.isUp).toBe(true);
  expect(await late.run(script, [], [])).toBe('OK');
  await late.close();
});
