import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { verifyDatabase } from '#src/drivers/catalogue.js';
import { migrateDown, migrateUp, migrationStates } from '#src/drivers/migrate.js';
import { readMigrations, SQL_DIR } from '#src/drivers/migration-files.js';
import { connectPostgres, eachDatabase, freshPostgres, warmPglite } from '../support/databases.js';

const newest = (await readMigrations(SQL_DIR)).length;
const NEXT = String(newest + 1).padStart(4, '0');
let sqlDir: string;
beforeEach(async () => {
  sqlDir = await mkdtemp(join(tmpdir(), 'purser-sql-'));
  await cp(SQL_DIR, sqlDir, { recursive: true });
});
afterEach(() => rm(sqlDir, { recursive: true }));

const write = (name: string, text: string) => writeFile(join(sqlDir, 'migrations', name), text);

test('20 runners at once on PostgreSQL apply each migration once', async () => {
  const fresh = await freshPostgres({ empty: true });
  const runners = Array.from({ length: 20 }, () => connectPostgres(fresh.url ?? '', 1));
  const lock = { pollMs: 20, triesMax: 1000 };
  const applied = await Promise.all(runners.map((database) => migrateUp({ database, lock })));
  const [count] = await fresh.database.query('select count(*) as rows from schema_migrations');
  expect(applied.flat()).toHaveLength((count as { rows: number }).rows);
  expect(applied.filter((versions) => versions.length > 0)).toHaveLength(1);
  await Promise.all(runners.map((database) => database.close()));
  await fresh.drop();
}, 60_000);

test('a runner that waits too long for the lock says how to find its holder', async () => {
  const fresh = await freshPostgres();
  const other = connectPostgres(fresh.url ?? '', 1);
  await other.session(async (session) => {
    await session.run('select pg_advisory_lock(1347768915)');
    const lock = { pollMs: 5, triesMax: 3 };
    await expect(migrateUp({ database: fresh.database, lock })).rejects.toMatchObject({
      code: 'lock_timeout',
      remedy: expect.stringContaining('pg_stat_activity'),
    });
    await session.run('select pg_advisory_unlock(1347768915)');
  });
  expect(await migrateUp({ database: fresh.database })).toEqual([]);
  await other.close();
  await fresh.drop();
});

beforeAll(warmPglite);

eachDatabase('a changed file is refused by name, and nothing is applied', async ({ database }) => {
  await migrateDown({ database }, newest - 2);
  await write('0002_budgets.up.sql', 'select 1;');
  for (const refused of [migrateUp, migrateDown]) {
    await expect(refused({ database, sqlDir }, 0)).rejects.toMatchObject({
      code: 'checksum_mismatch',
      message: expect.stringContaining('0002_budgets.up.sql'),
      remedy: expect.stringContaining('Restore the file'),
    });
  }
  const states = await migrationStates({ database, sqlDir });
  expect(states.map(({ state }) => state).filter((state) => state !== 'applied')).toEqual([
    'changed',
    'pending',
    'pending',
  ]);
  const findings = await verifyDatabase({ database, sqlDir });
  expect(findings.find(({ check }) => check.includes('(budgets)'))?.passed).toBe(false);
});

eachDatabase('a database newer than the code is refused', async ({ database }) => {
  await write(`${NEXT}_later.up.sql`, 'create table later (n integer);');
  await write(`${NEXT}_later.down.sql`, 'drop table later;');
  expect(await migrateUp({ database, sqlDir })).toEqual([newest + 1]);
  for (const refused of [migrateUp, migrateDown]) {
    await expect(refused({ database }, 0)).rejects.toMatchObject({
      code: 'database_newer',
      message: expect.stringContaining(`${newest + 1} (later)`),
      remedy: expect.stringContaining(`down --to ${newest}`),
    });
  }
  expect((await migrationStates({ database })).at(-1)).toMatchObject({ state: 'unknown' });
});

eachDatabase('a gap in the applied versions is refused', async ({ database }) => {
  await database.run('delete from schema_migrations where version = 4');
  await expect(migrateUp({ database })).rejects.toMatchObject({ code: 'out_of_order' });
});

eachDatabase('a missing prerequisite says what to run, and nothing is kept', async (fresh) => {
  const { database } = fresh;
  await migrateDown({ database }, 7);
  await database.run('drop table slots cascade');
  await expect(migrateUp({ database })).rejects.toMatchObject({
    code: 'prerequisite_missing',
    message: '0008_slots_flags.up.sql: The table "slots" is missing.',
    remedy: expect.stringContaining('0006_slots_templates.up.sql'),
  });
  expect((await migrationStates({ database }))[7]?.state).toBe('pending');
});

eachDatabase('a file that fails half-way leaves nothing behind', async ({ database }) => {
  await write(`${NEXT}_broken.up.sql`, 'create table half (n integer); select 1 / 0;');
  await write(`${NEXT}_broken.down.sql`, 'drop table half;');
  await expect(migrateUp({ database, sqlDir })).rejects.toMatchObject({
    code: 'migration_failed',
    message: expect.stringContaining('division by zero'),
    remedy: expect.stringContaining('Nothing of this file was kept'),
  });
  expect(await database.query("select to_regclass('half') as half")).toEqual([{ half: null }]);
  await write(`${NEXT}_broken.up.sql`, 'create table half (n integer);');
  expect(await migrateUp({ database, sqlDir })).toEqual([newest + 1]);
});

eachDatabase('a file that asks for no transaction gets none', async ({ database }) => {
  await write(
    `${NEXT}_index.up.sql`,
    '-- no-transaction\n\ncreate index concurrently if not exists idx_a on users(email);\n\n' +
      'create index concurrently if not exists idx_b on users(email);\n',
  );
  await write(
    `${NEXT}_index.down.sql`,
    '-- no-transaction\n\ndrop index concurrently if exists idx_a;\n\n' +
      'drop index concurrently if exists idx_b;\n',
  );
  expect(await migrateUp({ database, sqlDir })).toEqual([newest + 1]);
  const found = "select to_regclass('idx_b') is not null as found";
  expect(await database.query(found)).toEqual([{ found: true }]);
  expect(await migrateDown({ database, sqlDir }, newest)).toEqual([newest + 1]);
  expect(await database.query(found)).toEqual([{ found: false }]);
});

eachDatabase('verify finds a schema that was changed by hand', async ({ database }) => {
  await database.run('alter table budgets drop constraint budgets_within_allocation_check');
  const failed = (await verifyDatabase({ database })).filter((finding) => !finding.passed);
  expect(failed.map(({ check }) => check)).toEqual(['the schema is the one of sql/schema.sql']);
  expect(failed[0]?.remedy).toContain('budgets_within_allocation_check');
});

eachDatabase('a version that is not there is refused', async ({ database }) => {
  await expect(migrateUp({ database }, 99)).rejects.toMatchObject({ code: 'unknown_target' });
  await expect(migrateDown({ database }, -1)).rejects.toMatchObject({ code: 'unknown_target' });
});

eachDatabase('files that are not complete are refused', async ({ database }) => {
  await rm(join(sqlDir, 'migrations', '0005_ledger.down.sql'));
  await expect(migrateUp({ database, sqlDir })).rejects.toMatchObject({ code: 'files_broken' });
});
