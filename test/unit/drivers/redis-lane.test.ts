// A lane against a server that wants a user and a database, by TCP and by TLS.

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { realClock } from '#src/drivers/clock.js';
import { addressOf, dialler, greetingOf } from '#src/drivers/redis-dial.js';
import { RedisUnavailable } from '#src/drivers/redis-errors.js';
import { Lane } from '#src/drivers/redis-lane.js';
import { Prepared, plainly } from '#src/drivers/redis-prepared.js';
import { scriptOf } from '#src/drivers/scripts.js';

let server: Server | undefined;
let lane: Lane | undefined;
const sockets: Socket[] = [];
const failures: Error[] = [];
const unusable: unknown[] = [];

afterEach(() => {
  lane?.drop();
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
  failures.length = 0;
  unusable.length = 0;
});

/** Answers each command by what `reply` says of its words. */
async function serve(reply: (words: string[]) => string): Promise<number> {
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes) => {
      for (const command of bytes.toString().split(/(?=^\*\d+\r\n\$)/m)) {
        const words = command.split('\r\n').filter((_line, i) => i > 0 && i % 2 === 0);
        socket.write(reply(words));
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

function laneTo(url: string): Lane {
  const address = addressOf(url);
  lane = new Lane({
    dial: dialler(address),
    greeting: greetingOf(address, 'probe'),
    clock: realClock,
    ...{ commandTimeoutMs: 1_000, openTimeoutMs: 1_000, retryMs: 10 },
    forgotten: async ({ script }) => `${script.name} sent whole`,
    failed(error) {
      failures.push(error);
      return error;
    },
    unusable: (error) => unusable.push(error),
  });
  return lane;
}

test('it says who it is and which database it wants before anything else', async () => {
  const said: string[][] = [];
  const port = await serve((words) => {
    said.push(words);
    return '+OK\r\n';
  });
  const own = laneTo(`redis://us%40er:p%2Fw@127.0.0.1:${port}/7`);
  await own.open();
  expect(own.isUp).toBe(true);
  expect(said).toEqual([
    ['auth', 'us@er', 'p/w'],
    ['select', '7'],
    ['get', 'probe'],
  ]);
});

test('with rediss: nothing is said in the clear, and the server is asked for by its name', async () => {
  let said = Buffer.alloc(0);
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      said = Buffer.concat([said, bytes]);
      socket.end('-ERR no TLS here\r\n');
    });
  }).listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const own = laneTo(`rediss://user:secret@localhost:${port}`);
  await own.open();
  expect(own.isUp).toBe(false);
  // A TLS record of the handshake.
  expect(said[0]).toBe(0x16);
  expect(said.includes('localhost')).toBe(true);
  expect(said.includes('secret')).toBe(false);
});

test('prepared texts are the same texts to who prepares nothing', () => {
  const keys = [new Prepared(['a', 'b']), 'c'];
  const args = ['1', new Prepared([]), new Prepared(['2', 'ü'])];
  expect(plainly({ keys, args })).toEqual(['3', 'a', 'b', 'c', '1', '2', 'ü']);
});

test('a password without a user is said alone, and no database is the first', () => {
  expect(greetingOf(addressOf('redis://:pw@h'), 'p')).toEqual([
    ['auth', 'pw'],
    ['get', 'p'],
  ]);
  expect(addressOf('redis://[::1]:7000')).toEqual({ host: '::1', port: 7000, db: 0 });
  expect(addressOf('rediss://h').tls).toEqual({ servername: 'h' });
});

test('it is not up where the user is refused, and tries again', async () => {
  let tries = 0;
  const port = await serve(([name]) => {
    if (name !== 'auth') return '$-1\r\n';
    tries += 1;
    return tries < 3 ? '-WRONGPASS invalid\r\n' : '+OK\r\n';
  });
  const own = laneTo(`redis://u:p@127.0.0.1:${port}`);
  await own.open();
  expect(own.isUp).toBe(false);
  expect(failures[0]?.message).toBe('WRONGPASS invalid');
  expect(unusable).toEqual([failures[0]]);
  await expect.poll(() => own.isUp).toBe(true);
});

test('a password that the server does not want is no reason to stay away', async () => {
  const port = await serve(([name]) =>
    name === 'auth' ? `-ERR AUTH <password> ${NOT_WANTED}\r\n` : '$-1\r\n',
  );
  const own = laneTo(`redis://:pw@127.0.0.1:${port}`);
  await own.open();
  expect(own.isUp).toBe(true);
  expect(unusable).toEqual([]);
});

const NOT_WANTED = 'called without any password configured for the default user.';

test('it gives up a server that takes the connection and says nothing', async () => {
  const port = await serve(() => '');
  const address = addressOf(`redis://127.0.0.1:${port}`);
  lane = new Lane({
    dial: dialler(address),
    greeting: greetingOf(address, 'probe'),
    clock: realClock,
    ...{ commandTimeoutMs: 30, openTimeoutMs: 1_000, retryMs: 60_000 },
    forgotten: async () => undefined,
    failed: (error) => error,
    unusable: () => undefined,
  });
  await lane.open();
  expect(lane.isUp).toBe(false);
  await expect.poll(() => sockets[0]?.destroyed).toBe(true);
});

test('dropped while it is being opened, it opens again when asked', async () => {
  const port = await serve(() => '+OK\r\n');
  const own = laneTo(`redis://127.0.0.1:${port}`);
  const first = own.open();
  own.drop();
  const second = own.open();
  await Promise.all([first, second]);
  await expect.poll(() => own.isUp).toBe(true);
});

test('texts of any length and alphabet arrive as they are, also while the peer reads nothing', async () => {
  let bytes = Buffer.alloc(0);
  server = createServer((socket) => {
    sockets.push(socket);
    socket.once('data', () => {
      socket.write('$-1\r\n');
      socket.pause();
      setImmediate(() => setImmediate(() => socket.resume()));
      socket.on('data', (more: Buffer) => {
        bytes = Buffer.concat([bytes, more]);
      });
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = laneTo(`redis://127.0.0.1:${(server.address() as { port: number }).port}`);
  await own.open();
  const script = scriptOf('one', 'return 1');
  const args = ['', 'ü', '€'.repeat(19), 'x'.repeat(20), 'x'.repeat(21), '\u{1F600}\0\r\n', 'é'];
  args.push('y'.repeat(70_000), '漢'.repeat(300_000), 'z');
  const asked: Promise<unknown>[] = [];
  for (let turn = 0; turn < 5; turn += 1) {
    // Prepared or not, the same bytes leave.
    const rest = turn % 2 === 0 ? args : [new Prepared(args.slice(0, 3)), ...args.slice(3, -1)];
    const last = turn % 2 === 0 ? [] : [new Prepared([]), new Prepared(args.slice(-1))];
    asked.push(own.run(script, [new Prepared(['key'])], [`${turn}`, ...rest, ...last]));
    await new Promise(setImmediate);
  }
  const wanted = Buffer.concat(
    [0, 1, 2, 3, 4].map((turn) => {
      const words = ['evalsha', script.sha, '1', 'key', `${turn}`, ...args];
      const items = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
      return Buffer.from(`*${words.length}\r\n${items.join('')}`);
    }),
  );
  await expect.poll(() => bytes.length).toBe(wanted.length);
  expect(bytes.equals(wanted)).toBe(true);
  own.drop();
  const ends = await Promise.allSettled(asked);
  for (const end of ends) {
    expect((end as PromiseRejectedResult).reason).toBeInstanceOf(RedisUnavailable);
  }
});
