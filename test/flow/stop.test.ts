// The program under SIGTERM: it takes nothing new, gives what runs its grace, ends and books the
// rest, and exits with 0; the next start finds nothing held and every call in its books.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { assertBooksBalance } from '../support/books.js';
import { DONE, FINISH, usageChunk, words } from '../support/chat-events.js';
import { type FreshDatabase, freshPostgres } from '../support/databases.js';
import { answering } from '../support/gateway.js';
import { rawSocket } from '../support/raw-http.js';
import { openScriptedUpstream, type ScriptedUpstream } from '../support/scripted-upstream.js';

const ADMIN_KEY = 'an-operator-key-for-the-test';
const USAGE = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
const GRACE_MS = 1500;

let folder: string;
let fresh: FreshDatabase;
let upstream: ScriptedUpstream;
let key = '';
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'purser-stop-'));
  fresh = await freshPostgres();
  upstream = await openScriptedUpstream();
});
beforeEach(() => upstream.plan(answering(USAGE)));
afterAll(async () => {
  // Those that have ended take no notice.
  for (const child of children) child.kill('SIGKILL');
  await upstream.close();
  await fresh.drop();
  await rm(folder, { recursive: true, force: true });
});

interface Program {
  url: string;
  child: ChildProcess;
  /** All that it said. */
  said(): string;
  exited: Promise<number | string>;
  /** Resolves when it has said that it stops. */
  stopping(): Promise<void>;
}

/** `node dist/main.js start` on what earlier starts have left. */
async function start(drainMs = GRACE_MS): Promise<Program> {
  const file = join(folder, 'gateway.yaml');
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    data_dir: join(folder, 'data'),
    database_url: fresh.url,
    admin_key: ADMIN_KEY,
    providers: {
      sandbox: false,
      scripted: { dialect: 'openai', base_url: `${upstream.url}/v1`, allow_private: true },
    },
    prices: { 'scripted/model': { input: 1, output: 4 } },
    projects: [{ name: 'demo' }],
    agents: [{ name: 'coder-1', type: 'coder', project: 'demo' }],
    limits: [{ scope: 'global', amount_usd: 100, period: 'ever' }],
    ledger: { lease_ms: 2000, beat_ms: 200, reap_ms: 200 },
    timeouts: { drain_ms: drainMs },
  };
  await writeFile(file, JSON.stringify(config));
  const main = join(import.meta.dirname, '..', '..', 'dist', 'main.js');
  const child = spawn(process.execPath, [main, 'start', '--config', file], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let said = '';
  const watchers = new Set<() => void>();
  const hear = (bytes: Buffer) => {
    said += bytes.toString();
    for (const watch of watchers) watch();
  };
  child.stdout!.on('data', hear);
  child.stderr!.on('data', hear);
  const exited = once(child, 'close').then(([code, signal]) => (signal ?? code) as number | string);
  const until = (text: string) =>
    new Promise<void>((resolve) => {
      const watch = () => {
        if (!said.includes(text)) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      watch();
    });
  const ended = exited.then((how) => expect.fail(`it ended with ${how}:\n${said}`));
  ended.catch(() => undefined);
  await Promise.race([until('\nNext: '), ended]);
  key ||= /coder-1 +(sk-purser-\S+)/.exec(said)?.[1] ?? '';
  const url = /listens at (\S+)/.exec(said)?.[1] ?? '';
  return { url, child, said: () => said, exited, stopping: () => until('"stopping"') };
}

const ask = (more: object = {}) => ({
  model: 'scripted/model',
  max_tokens: 50,
  messages: [{ role: 'user', content: 'Hello?' }],
  ...more,
});

function post(program: Program, body: object): Promise<Response> {
  return fetch(`${program.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

function rows(): Promise<Record<string, unknown>[]> {
  return fresh.database.query('select * from token_usage order by reservation_id');
}

async function held(program: Program): Promise<unknown[]> {
  const answer = await fetch(`${program.url}/admin/v1/reservations`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
  });
  return ((await answer.json()) as { data: unknown[] }).data;
}

function rawCall(body: object, more = ''): string {
  const json = JSON.stringify(body);
  return (
    `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${key}\r\n` +
    `content-type: application/json\r\ncontent-length: ${json.length}\r\n${more}\r\n${json}`
  );
}

async function heardOf(socket: Socket): Promise<string> {
  let text = '';
  for await (const bytes of socket) text += (bytes as Buffer).toString();
  return text;
}

const pause = { cuts: { seed: 6, count: 40 }, paceMs: 20 };
const short = { body: words(20) + FINISH + usageChunk(USAGE) + DONE, ...pause };
const endless = { body: words(4000), cuts: { seed: 7, count: 4000 }, paceMs: 20 };

test('SIGTERM under load: what can end ends, the rest is ended and booked, and it exits with 0', async () => {
  const program = await start();
  const port = Number(new URL(program.url).port);
  upstream.enqueue(short, endless, { silent: true });
  const finishing = await post(program, ask({ stream: true }));
  const cut = await post(program, ask({ stream: true }));
  const whole = post(program, ask());
  await upstream.received(3);
  // A connection in the middle of a request, which is still taken; and one that asks too late.
  const idle = await rawSocket(port);
  program.child.kill('SIGTERM');
  await program.stopping();
  idle.on('error', () => undefined);
  idle.write(rawCall(ask()));
  const late = heardOf(idle).catch(() => '');
  await expect(rawSocket(port)).rejects.toThrow('ECONNREFUSED');
  expect(await finishing.text()).toMatch(/: purser cost_usd=0.000029 .*\ndata: \[DONE\]\n\n$/);
  const broken = await cut.text();
  expect(broken).not.toContain('[DONE]');
  expect(broken.trimEnd().split('\n\n').at(-1)).toMatch(/^data: \{"error":\{.*"code":"draining"/);
  const refused = await whole;
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ error: { code: 'draining' } });
  expect(await late).toMatch(/^$|^HTTP\/1\.1 503 [\s\S]*connection: close[\s\S]*"draining"/i);
  expect(await program.exited, program.said()).toBe(0);

  const [first, second, third, ...more] = await rows();
  expect(first).toMatchObject({ tokens_in: 9, tokens_out: 5, outcome: 'completed' });
  expect(Number(second!.tokens_out)).toBeGreaterThan(10);
  // It was sent, and nobody will ever hear what it cost.
  expect(third).toMatchObject({ tokens_out: 50, usage_source: 'estimated' });
  expect(more).toEqual([]);
  await assertBooksBalance(fresh.database);
});

test('a second SIGTERM waits for nobody: not for a stream, nor a body, nor a reader', async () => {
  const before = (await rows()).length;
  const program = await start(600_000);
  expect(await held(program)).toEqual([]);
  const port = Number(new URL(program.url).port);
  upstream.enqueue(endless);
  const stream = await post(program, ask({ stream: true }));
  const halfSent = await rawSocket(port);
  halfSent.on('error', () => undefined);
  // Who is told to go on with the body has got past the door.
  halfSent.write(rawCall(ask(), 'expect: 100-continue\r\n').slice(0, -10));
  await once(halfSent, 'data');
  program.child.kill('SIGTERM');
  await program.stopping();
  program.child.kill('SIGTERM');
  expect(await stream.text()).toContain('"code":"draining"');
  expect(await program.exited, program.said()).toBe(0);
  halfSent.destroy();
  const [row, ...more] = (await rows()).slice(before);
  expect(row).toMatchObject({ outcome: 'upstream_died' });
  expect(more).toEqual([]);
  await assertBooksBalance(fresh.database);
});

test('what SQL could not take before the stop is in the books after the next start', async () => {
  const before = (await rows()).length;
  const program = await start();
  let unlock = () => {};
  const locked = new Promise<void>((resolve) => {
    unlock = resolve;
  });
  const holding = fresh.database.transaction(async (tx) => {
    await tx.query('lock table token_usage in access exclusive mode');
    program.child.emit('locked');
    await locked;
  });
  await once(program.child, 'locked');
  for (let call = 0; call < 3; call++) expect((await post(program, ask())).status).toBe(200);
  // Without a word of farewell: nothing of it can be said after the drain has given up.
  program.child.kill('SIGKILL');
  await program.exited;
  unlock();
  await holding;
  const next = await start();
  expect(await held(next)).toEqual([]);
  await expect.poll(async () => (await rows()).length).toBe(before + 3);
  const budget = await fetch(`${next.url}/v1/budget`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const [{ sum }] = (await fresh.database.query<{ sum: string }>(
    'select sum(cost_usd)::text as sum from token_usage',
  )) as [{ sum: string }];
  const { data } = (await budget.json()) as { data: { spent: string }[] };
  expect(Number(data[0]?.spent)).toBe(Number(sum));
  next.child.kill('SIGTERM');
  expect(await next.exited, next.said()).toBe(0);
  await assertBooksBalance(fresh.database);
});
