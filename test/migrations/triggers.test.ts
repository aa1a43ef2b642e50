import { expect } from 'vitest';
import type { Queryable } from '#src/drivers/database.js';
import { eachDatabase } from '../support/databases.js';
import { IDS, insertRows } from './rows.js';

const number = async (database: Queryable, text: string): Promise<number> => {
  const [row] = await database.query<{ value: number }>(text);
  return row?.value ?? Number.NaN;
};
const configVersion = (database: Queryable) =>
  number(database, 'select version as value from config_version');

// Changes that a call's outcome depends on.
const COUNTED = [
  "update projects set name = 'other'",
  'update agents set is_active = false',
  'update api_keys set revoked_at = now()',
  'update api_keys set disabled_at = now()',
  'update budget_limits set amount_usd = 5',
  'update budgets set allocated_tokens = 2000',
  "update tiers set access_level = 'free'",
  "update tier_overrides set access_level = 'pro'",
  'update person_occasions set budget_amount = 50',
  'update exchange_rates set usd_per_unit = 1.2',
  `update settings set value = '"w"'`,
  'delete from tier_overrides',
  'delete from budgets',
  'delete from person_occasions',
  "insert into settings (key, value) values ('new', '1')",
  "insert into tiers (tier, access_level) values (5, 'pro')",
];
// What every call or batch of rows writes.
const NOT_COUNTED = [
  'update api_keys set last_used_at = now()',
  'update budgets set used_tokens = 5, reserved_tokens = 1, overrun_tokens = 2',
  'update person_occasions set budget_spent = 5',
  "update users set username = 'other'",
];

eachDatabase(
  'what changes calls moves config_version, what calls change does not',
  async (fresh) => {
    const { database } = fresh;
    await insertRows(database);
    for (const [statements, moves] of [
      [NOT_COUNTED, false],
      [COUNTED, true],
    ] as const) {
      for (const statement of statements) {
        const before = await configVersion(database);
        await database.run(statement);
        // By more than one where the change of one table is a change of another.
        const moved = (await configVersion(database)) > before;
        expect([statement, moved]).toEqual([statement, moves]);
      }
    }
  },
);

eachDatabase('a rolled back change leaves config_version as it was', async ({ database }) => {
  const before = await configVersion(database);
  const body = database.transaction(async (tx) => {
    await tx.run("insert into settings (key, value) values ('a', '1')");
    throw new Error('no');
  });
  await expect(body).rejects.toThrow('no');
  expect(await configVersion(database)).toBe(before);
});

// [table, changes that need a new version, changes that need none]
const VERSIONED: readonly [table: string, newer: string[], same: string[]][] = [
  [
    'budget_limits',
    [
      'amount_usd = 5',
      "action_on_exceed = 'block'",
      "on_ledger_down = 'continue'",
      "raise_amount = 9, raise_until = now() + interval '1 day'",
      '"strict" = true',
      'is_active = false',
      "time_zone = 'Europe/Berlin'",
    ],
    ["name = 'other'", 'visible = false', 'version = 999', 'amount_usd = amount_usd'],
  ],
  ['budgets', ['allocated_tokens = 2000'], ['used_tokens = 5', 'version = 999']],
  [
    'person_occasions',
    ['budget_amount = 5', "budget_currency = 'EUR'"],
    ['budget_spent = 5', "budget_notes = 'n'"],
  ],
];

eachDatabase(
  'a change of limit or mode gets the highest version yet, others none',
  async (fresh) => {
    const { database } = fresh;
    await insertRows(database);
    for (const [table, newer, same] of VERSIONED) {
      const version = () => number(database, `select version as value from ${table}`);
      for (const change of newer) {
        const highest = await number(database, 'select last_value as value from envelope_version');
        await database.run(`update ${table} set ${change}`);
        expect([table, change, await version()]).toEqual([table, change, highest + 1]);
      }
      for (const change of same) {
        const before = await version();
        await database.run(`update ${table} set ${change}`);
        expect([table, change, await version()]).toEqual([table, change, before]);
      }
    }
  },
);

eachDatabase('updated_at moves with every update, in every table that has it', async (fresh) => {
  const { database } = fresh;
  await insertRows(database);
  const tables = await database.query<{ name: string }>(
    `select c.table_name as name from information_schema.columns c
     where c.table_schema = 'public' and c.column_name = 'updated_at'
       and c.table_name not in ('envelope_totals', 'ledger_watermark', 'config_version')`,
  );
  expect(tables.length).toBeGreaterThanOrEqual(19);
  for (const { name } of tables) {
    await database.run(`update ${name} set updated_at = '2020-01-01'`);
    const old = `select count(*) as value from ${name} where updated_at < now() - interval '1 day'`;
    expect([name, await number(database, old)]).toEqual([name, 0]);
  }
});

eachDatabase(
  'partitions are made ahead, once, and take their rows from the default',
  async (fresh) => {
    const { database } = fresh;
    await insertRows(database);
    const make = (day: string, months: number) =>
      number(database, `select make_token_usage_partitions('${day}', ${months}) as value`);
    expect(await make('2026-11-30', 3)).toBe(3);
    expect(await make('2026-12-01', 3)).toBe(1);
    await database.run(`insert into token_usage (usage_date, model)
    values ('2026-12-31', 'm'), ('2027-01-01', 'm'), ('2031-05-05', 'm')`);
    const rows = await database.query(
      'select tableoid::regclass::text as part, count(*) as rows from token_usage group by 1 order by 1',
    );
    expect(rows).toEqual([
      { part: 'token_usage_2026_11', rows: 1 },
      { part: 'token_usage_2026_12', rows: 1 },
      { part: 'token_usage_2027_01', rows: 1 },
      { part: 'token_usage_default', rows: 1 },
    ]);
    const twin = `insert into token_usage (reservation_id, usage_date, model)
    values (${IDS.reservation}, '2026-11-21', 'm')`;
    await expect(database.run(twin)).rejects.toThrow('duplicate key');
    await database.run(`delete from agents where false; delete from persons`);
    expect(await number(database, 'select count(person_id) as value from token_usage')).toBe(0);
    const indexes = `select count(*) as value from pg_indexes where tablename = `;
    expect(await number(database, `${indexes} 'token_usage_2026_11'`)).toBe(
      await number(database, `${indexes} 'token_usage'`),
    );
  },
);
