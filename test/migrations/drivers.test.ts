import { spawn } from 'node:child_process';
import { mkdtemp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, inject, test, vi } from 'vitest';
import { sqlState } from '#src/drivers/database.js';
import { openPglite } from '#src/drivers/pglite.js';
import { eachDatabase } from '../support/databases.js';

const PGLITE = new URL('../../dist/drivers/pglite.js', import.meta.url).href;
// Commits one row after another and tells each, until it is killed.
const WRITER = `
  const { openPglite } = await import(${JSON.stringify(PGLITE)});
  const { database } = await openPglite({ at: { dir: process.argv[1] } });
  await database.run('create table t (n integer primary key)');
  for (let n = 1; ; n += 1) {
    await database.query('insert into t values ($1)', [n]);
    console.log(n);
  }`;

// Ends the thread in the middle of a query, and tells what becomes of that one and of later ones.
const LOSER = `
  const threads = (await import('node:worker_threads')).default;
  let thread;
  threads.Worker = class extends threads.Worker {
    constructor(...given) { super(...given); thread = this; }
  };
  (await import('node:module')).syncBuiltinESMExports();
  const { openPglite } = await import(${JSON.stringify(PGLITE)});
  const told = (error) => console.log(error.message);
  const { database, close } = await openPglite({ at: 'memory', onCrash: () => {} });
  await database.query('select 1');
  const running = database.query('select pg_sleep(1)').catch(told);
  setTimeout(() => thread.terminate(), 50);
  await running;
  await database.query('select 2').catch(told);
  await database.transaction((tx) => tx.query('select 3')).catch(told);
  await close();
  console.log('closed');`;

const VALUES = `select 5::bigint as small, 9007199254740993::bigint as large, 1.50::numeric as money,
  date '2026-11-21' as day, timestamptz '2026-11-21 09:41Z' as at, '[{"a": 1}]'::jsonb as lines,
  '\\xff'::bytea as bytes, array['x', 'NULL'] as texts`;

eachDatabase('values come back exact and in the same types', async ({ database }) => {
  const [row] = await database.query(VALUES);
  expect(row).toEqual({
    small: 5,
    large: 9007199254740993n,
    money: '1.50',
    day: '2026-11-21',
    at: new Date('2026-11-21T09:41:00Z'),
    lines: [{ a: 1 }],
    bytes: Buffer.from([255]),
    texts: ['x', 'NULL'],
  });
});

eachDatabase('arrays go in as columns of unnest, jsonb and exact numbers too', async (fresh) => {
  const rows = await fresh.database.query(
    `select id, amount, lines::jsonb as lines, at, $5::jsonb as whole
     from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[])
       as t(id, amount, lines, at)`,
    [
      ['00000000-0000-7000-8000-000000000001', null],
      [9007199254740991, 9007199254740993n],
      [JSON.stringify([{ e: 'x"\\' }]), null],
      [new Date('2026-11-21T00:00:00Z'), null],
      [{ e: 1 }],
    ],
  );
  expect(rows).toEqual([
    {
      id: '00000000-0000-7000-8000-000000000001',
      amount: 9007199254740991,
      lines: [{ e: 'x"\\' }],
      at: new Date('2026-11-21T00:00:00Z'),
      whole: [{ e: 1 }],
    },
    { id: null, amount: 9007199254740993n, lines: null, at: null, whole: [{ e: 1 }] },
  ]);
});

eachDatabase(
  'a transaction that throws leaves nothing and the connection usable',
  async (fresh) => {
    const { database } = fresh;
    await database.run('create table t (n integer primary key)');
    const body = database.transaction(async (tx) => {
      await tx.query('insert into t values (1)');
      await tx.query('insert into t values (1)');
    });
    const error = await body.catch((thrown: unknown) => thrown);
    expect(sqlState(error)).toBe('23505');
    expect(await database.query('select * from t')).toEqual([]);
    const answer = await database.transaction(async (tx) => {
      await tx.query('insert into t values (2)');
      return tx.query<{ n: number }>('select n from t');
    });
    expect(answer).toEqual([{ n: 2 }]);
    expect(await database.query('select n from t')).toEqual([{ n: 2 }]);
  },
);

eachDatabase('a broken statement among several keeps none of them', async ({ database }) => {
  await expect(database.run('create table a (n int); select 1/0')).rejects.toThrow('division');
  expect(await database.query("select to_regclass('a') as a")).toEqual([{ a: null }]);
});

eachDatabase('of statements sent together the one that failed is told', async ({ database }) => {
  await database.run('create table t (n integer primary key)');
  const slowly = async (work: Promise<unknown>) => {
    await work;
    return 1;
  };
  const body = database.transaction((tx) =>
    Promise.all([
      slowly(slowly(slowly(tx.query('select 1/0 as n')))),
      tx.query('insert into t values (1)'),
      tx.query('insert into t values (2)'),
    ]),
  );
  expect(sqlState(await body.catch((thrown: unknown) => thrown))).toBe('22012');
  expect(await database.query('select * from t')).toEqual([]);
});

test('PGlite keeps its rows over a restart and leaves no file behind', async () => {
  const folder = await mkdtemp(join(inject('runFolder'), 'pglite-'));
  const dir = join(folder, 'pglite');
  vi.stubEnv('TMPDIR', folder);
  const first = await openPglite({ at: { dir } });
  await first.database.run('create table t (n integer); insert into t values (7)');
  await first.close();
  const second = await openPglite({ at: { dir } });
  expect(await second.database.query('select n from t')).toEqual([{ n: 7 }]);
  expect(await readdir(folder)).toEqual(['pglite']);
  await second.database.close();
  expect(await readdir(folder)).toEqual(['pglite']);
  vi.unstubAllEnvs();
});

test('what PGlite has committed survives kill -9', async () => {
  const folder = await mkdtemp(join(inject('runFolder'), 'pglite-'));
  const dir = join(folder, 'pglite');
  const writer = spawn(process.execPath, ['--input-type=module', '-e', WRITER, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let committed = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    committed = Number(line);
    if (committed === 50) writer.kill('SIGKILL');
  }
  const { database, close } = await openPglite({ at: { dir } });
  const [row] = await database.query<{ rows: number; highest: number }>(
    'select count(*) as rows, max(n) as highest from t',
  );
  expect(committed).toBeGreaterThanOrEqual(50);
  expect(row?.highest).toBeGreaterThanOrEqual(committed);
  expect(row?.rows).toBe(row?.highest);
  await close();
});

test('once the thread of PGlite has ended every query is refused, and none waits', async () => {
  const loser = spawn(process.execPath, ['--input-type=module', '-e', LOSER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: loser.stdout })) lines.push(line);
  const later = 'its worker ended with code 1';
  expect(lines).toEqual(['the connection was lost', later, later, 'closed']);
});

test('a directory that cannot be opened is told with a remedy', async () => {
  const opened = openPglite({ at: { dir: '/proc/purser' } });
  await expect(opened).rejects.toMatchObject({
    name: 'OperatorError',
    message: expect.stringContaining('/proc/purser'),
    remedy: expect.stringContaining('DATABASE_URL'),
  });
});
