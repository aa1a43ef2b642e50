// Several gateway processes on one port, over one Redis and one PostgreSQL: together they admit
// exactly what there is room for, and what a killed one left is ended by the others.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { assertBooksBalance } from '../support/books.js';
import { type FreshDatabase, freshPostgres } from '../support/databases.js';
import { freePort, type Server, startRedis } from '../support/programs.js';

const ROOT = join(import.meta.dirname, '..', '..');
const ROOM = 30;
const CALLS = 60;

let folder: string;
let redis: Server;
let fresh: FreshDatabase;
let child: ChildProcess;
let port: number;
let key: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'purser-workers-'));
  redis = await startRedis(join(folder, 'redis'));
  fresh = await freshPostgres();
  port = await freePort();
  await writeFile(
    join(folder, 'gateway.yaml'),
    JSON.stringify({
      listen: { host: '127.0.0.1', port },
      data_dir: join(folder, 'data'),
      workers: 3,
      ledger: { command_timeout_ms: 5000, lease_ms: 3000, beat_ms: 300, reap_ms: 300 },
      projects: [{ name: 'demo' }],
      agents: [{ name: 'coder-1', type: 'coder', project: 'demo' }],
      limits: [
        { scope: 'global', amount_usd: 100, period: 'monthly' },
        { scope: 'agent', agent: 'coder-1', amount_requests: ROOM, period: 'daily' },
      ],
    }),
  );
  child = spawn(process.execPath, ['dist/main.js', 'start'], {
    cwd: ROOT,
    env: {
      ...process.env,
      PURSER_CONFIG: join(folder, 'gateway.yaml'),
      DATABASE_URL: fresh.url,
      REDIS_URL: redis.url,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const banner = await printedUntil(child, /^Next:/m);
  key = /sk-purser-\w{12}-\w{38}/.exec(banner)?.[0] ?? '';
}, 120_000);

afterAll(async () => {
  if (child.exitCode === null) {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  await fresh.drop();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
}, 120_000);

function printedUntil(program: ChildProcess, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    program.stdout?.on('data', (chunk) => {
      text += chunk;
      if (pattern.test(text)) resolve(text);
    });
    program.once('exit', (code) => reject(new Error(`ended with ${code}:\n${text}`)));
  });
}

const call = async (): Promise<number> => {
  const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST',
    // One connection each, so that the calls spread over the processes.
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      connection: 'close',
    },
    body: JSON.stringify({
      model: 'sandbox/lorem',
      max_tokens: 20,
      messages: [{ role: 'user', content: 'Hi [[tokens=5]] [[first_ms=200]]' }],
    }),
  });
  await response.arrayBuffer();
  return response.status;
};

async function settled(): Promise<void> {
  await expect
    .poll(
      async () => {
        const rows = await fresh.database.query('select 1 from token_usage');
        return rows.length;
      },
      { timeout: 30_000 },
    )
    .toBe(ROOM);
}

test('of many calls at once exactly those are admitted for whom there is room', async () => {
  // The others come when the first one listens.
  const count = 'select count(*)::int as count from gateways';
  await expect
    .poll(async () => (await fresh.database.query<{ count: number }>(count))[0]?.count, {
      timeout: 60_000,
    })
    .toBe(3);
  const statuses = await Promise.all(Array.from({ length: CALLS }, call));
  expect(statuses.filter((status) => status === 200)).toHaveLength(ROOM);
  expect(statuses.filter((status) => status === 402)).toHaveLength(CALLS - ROOM);
  await settled();
  await assertBooksBalance(fresh.database);
}, 120_000);
