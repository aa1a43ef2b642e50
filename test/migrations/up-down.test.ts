import { beforeAll, expect } from 'vitest';
import { describeSchema, verifyDatabase } from '#src/drivers/catalogue.js';
import { migrateDown, migrateUp, migrationStates } from '#src/drivers/migrate.js';
import { readMigrations, SQL_DIR } from '#src/drivers/migration-files.js';
import { eachDatabase, warmPglite } from '../support/databases.js';
import { countRows, hasColumn, IDS, insertRows, ROWS } from './rows.js';

const files = await readMigrations(SQL_DIR);
const newest = files.length;

beforeAll(warmPglite);

eachDatabase(
  'from every version, with rows in all its tables: up keeps them, down keeps them, zero is empty',
  async ({ database }) => {
    let whole: string | undefined;
    for (let version = 0; version <= newest; version += 1) {
      await migrateUp({ database }, version);
      await insertRows(database);
      const before = await countRows(database);
      await migrateUp({ database });
      const after = await countRows(database);
      for (const table of Object.keys(before)) {
        expect([version, table, after[table]]).toEqual([version, table, before[table]]);
      }
      whole ??= await describeSchema(database);
      expect(await describeSchema(database)).toBe(whole);
      await migrateDown({ database }, version);
      expect(await countRows(database)).toEqual(before);
      await migrateDown({ database }, 0);
      expect(await countRows(database)).toEqual({});
    }
    await migrateUp({ database });
    expect(await describeSchema(database)).toBe(whole);
    const findings = await verifyDatabase({ database });
    expect(findings.filter((finding) => !finding.passed)).toEqual([]);
  },
  { empty: true, timeoutMs: 240_000 },
);

eachDatabase('the rows of these tests reach every table', async ({ database }) => {
  await insertRows(database);
  const counts = await countRows(database);
  expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([]);
  expect(Object.keys(counts).length).toBeGreaterThan(ROWS.length);
});

eachDatabase(
  'the repair keeps every snapshot: joined where the turn is known, null where not, and back',
  async ({ database }) => {
    await migrateUp({ database }, 10);
    await insertRows(database);
    await migrateUp({ database }, 11);
    const select = `select s.prompt_hash as hash, t.reservation_id as turn, s.reservation_id as id
      from prompt_snapshots s left join turns t on t.id = s.turn_id order by 1`;
    const known = IDS.reservation.slice(1, -1);
    const unknown = IDS.unknownReservation.slice(1, -1);
    expect(await database.query(select)).toEqual([
      { hash: 'known', turn: known, id: known },
      { hash: 'none', turn: null, id: null },
      { hash: 'unknown', turn: null, id: unknown },
    ]);
    const orphan = "insert into prompt_snapshots (turn_id, prompt_hash) values (999999, 'x')";
    await expect(database.run(orphan)).rejects.toThrow('prompt_snapshots_turn_id_fkey');
    await migrateDown({ database }, 10);
    expect(
      await database.query('select prompt_hash as hash, turn_id from prompt_snapshots order by 1'),
    ).toEqual([
      { hash: 'known', turn_id: known },
      { hash: 'none', turn_id: null },
      { hash: 'unknown', turn_id: unknown },
    ]);
  },
  { empty: true },
);

eachDatabase(
  "taking the pairs' budgets away drops exactly four columns and keeps the pairs",
  async ({ database }) => {
    await insertRows(database);
    const columns = ['budget_amount', 'budget_spent', 'budget_currency', 'budget_notes'];
    const names = `select column_name::text as name from information_schema.columns
      where table_name = 'person_occasions' and table_schema = 'public' order by 1`;
    const before = (await database.query<{ name: string }>(names)).map((row) => row.name);
    await migrateDown({ database }, 12);
    const after = (await database.query<{ name: string }>(names)).map((row) => row.name);
    expect(after).toEqual(before.filter((name) => !columns.includes(name)));
    expect(before.length - after.length).toBe(4);
    expect((await countRows(database)).person_occasions).toBe(1);
    await migrateUp({ database });
    expect(await database.query(`select ${columns} from person_occasions`)).toEqual([
      {
        budget_amount: null,
        budget_spent: '0.000000000',
        budget_currency: 'USD',
        budget_notes: null,
      },
    ]);
  },
);

eachDatabase('critical slots must stay, the others need not', async ({ database }) => {
  const rows = await database.query('select key, must_keep, min_chars from slots order by key');
  expect(rows).toEqual([
    { key: 'history', must_keep: false, min_chars: 0 },
    { key: 'input', must_keep: true, min_chars: 200 },
    { key: 'memory', must_keep: false, min_chars: 0 },
    { key: 'rules', must_keep: true, min_chars: 200 },
    { key: 'system', must_keep: true, min_chars: 400 },
  ]);
});

eachDatabase(
  'going up tells each step, and status says what is applied and what is not',
  async ({ database }) => {
    const steps: string[] = [];
    const onStep = (step: { phase: string; name: string; position: number; count: number }) =>
      steps.push(`${step.phase} ${step.name} ${step.position}/${step.count}`);
    expect(await migrateUp({ database, onStep }, 2)).toEqual([1, 2]);
    expect(steps).toEqual([
      'begin core 1/2',
      'end core 1/2',
      'begin budgets 2/2',
      'end budgets 2/2',
    ]);
    const states = await migrationStates({ database });
    expect(states.slice(0, 3)).toMatchObject([
      { version: 1, name: 'core', state: 'applied', appliedAt: expect.any(Date) },
      { version: 2, name: 'budgets', state: 'applied' },
      { version: 3, name: 'limits', state: 'pending', appliedAt: null },
    ]);
    expect(await hasColumn(database, 'budgets', 'overrun_tokens')).toBe(true);
    expect(await migrateUp({ database }, 2)).toEqual([]);
    const [failed] = (await verifyDatabase({ database })).filter((finding) => !finding.passed);
    expect(failed?.remedy).toBe('Run: purser migrate up');
  },
  { empty: true },
);
