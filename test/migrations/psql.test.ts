import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { describeSchema, verifyDatabase } from '#src/drivers/catalogue.js';
import { migrateDown, migrateUp } from '#src/drivers/migrate.js';
import { readMigrations, SQL_DIR } from '#src/drivers/migration-files.js';
import { freshPostgres } from '../support/databases.js';
import { countRows, insertRows } from './rows.js';

const run = promisify(execFile);
const files = await readMigrations(SQL_DIR);

test('each file runs by psql -f in order, twice, and the runner then takes over', async () => {
  const fresh = await freshPostgres({ empty: true });
  const url = fresh.url ?? '';
  const ups = files.map(({ up }) => up.file);
  const downs = files.map(({ down }) => down.file).reverse();
  await psql(url, ups);
  const schema = await describeSchema(fresh.database);
  await insertRows(fresh.database);
  const rows = await countRows(fresh.database);
  await psql(url, ups);
  expect(await describeSchema(fresh.database)).toBe(schema);
  expect(await migrateUp({ database: fresh.database })).toHaveLength(files.length);
  expect(await describeSchema(fresh.database)).toBe(schema);
  expect(await countRows(fresh.database)).toEqual(rows);
  const findings = await verifyDatabase({ database: fresh.database });
  expect(findings.filter(({ passed }) => !passed)).toEqual([]);
  await psql(url, [...downs, ...downs]);
  expect(await countRows(fresh.database)).toEqual({});
  await fresh.drop();
});

test('each file that needs another says so by psql, and names what to run', async () => {
  const fresh = await freshPostgres({ empty: true });
  for (const { up } of files.slice(1)) {
    const failed = await psql(fresh.url ?? '', [up.file]).catch((error: Error) => error.message);
    expect([up.file, failed]).toEqual([up.file, expect.stringMatching(/HINT: {2}Run .*00\d\d_/s)]);
  }
  expect(await countRows(fresh.database)).toEqual({});
  await fresh.drop();
});

test("a file by psql within a story: the seed's order of the repair works too", async () => {
  const fresh = await freshPostgres();
  await insertRows(fresh.database);
  const rows = await countRows(fresh.database);
  await migrateDown({ database: fresh.database }, 7);
  // The repair first, then flags, report and metrics, as the seed's README has it.
  const rest = files.slice(11).map(({ version }) => version);
  const order = [11, 8, 9, 10, ...rest].map((version) => files[version - 1]?.up.file ?? '');
  await psql(fresh.url ?? '', order);
  const after = await countRows(fresh.database);
  expect(after.prompt_snapshots).toBe(rows.prompt_snapshots);
  expect(await migrateUp({ database: fresh.database })).toEqual([8, 9, 10, 11, ...rest]);
  await fresh.drop();
});

/** Stops at the first error, as an operator would have it. */
async function psql(url: string, names: readonly string[]): Promise<void> {
  const paths = names.flatMap((name) => ['-f', join(SQL_DIR, 'migrations', name)]);
  await run(psqlProgram(), ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', url, ...paths]);
}

function psqlProgram(): string {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return 'psql';
  const found = readdirSync(root).map((version) => join(root, version, 'bin', 'psql'));
  return found.find((path) => existsSync(path)) ?? 'psql';
}
