import { expect } from 'vitest';
import { sqlState } from '#src/drivers/database.js';
import { eachDatabase } from '../support/databases.js';
import { IDS, insertRows } from './rows.js';

const CHECK = '23514';
const UNIQUE = '23505';
const FOREIGN_KEY = '23503';
const NOT_NULL = '23502';
const RESTRICTED = '42501';

const insertLimit = (columns: string, values: string) =>
  `insert into budget_limits (name, scope_type, period, ${columns})
   values ('x', 'global', 'daily', ${values})`;
const insertUsage = (columns: string, values: string) =>
  `insert into token_usage (usage_date, model, ${columns}) values ('2026-11-21', 'm', ${values})`;
const conversation = (values: string) =>
  `insert into conversations (type, status, created_by_agent_id) values (${values})`;

// What a constraint must refuse, and by which SQLSTATE.
const REFUSED: readonly [what: string, statement: string, state: string][] = [
  ['negative allocation', 'update budgets set allocated_tokens = -1', CHECK],
  ['negative use', 'update budgets set used_tokens = -1', CHECK],
  ['negative hold', 'update budgets set reserved_tokens = -1', CHECK],
  ['use + hold over allocation', 'update budgets set reserved_tokens = 971', CHECK],
  ['allocation below use', 'update budgets set allocated_tokens = 29', CHECK],
  ['second budget of an agent', `insert into budgets (agent_id) values (${IDS.agent})`, UNIQUE],
  ['budget of nobody', 'insert into budgets (agent_id) values (null)', NOT_NULL],
  ['agent with a budget deleted', `delete from agents where id = ${IDS.agent}`, FOREIGN_KEY],
  ['unknown agent type', "insert into agents (name, type) values ('x', 'boss')", CHECK],
  ['tier 10', 'update agents set tier = 10', CHECK],
  [
    'two agents of one name in a project',
    `insert into agents (name, type, project_id) values ('coder-1', 'tester', ${IDS.project})`,
    UNIQUE,
  ],
  ['ownerless conversation', conversation("'task', 'active', null"), CHECK],
  ['unknown conversation type', conversation(`'chat', 'active', ${IDS.agent}`), CHECK],
  ['unknown conversation status', conversation(`'task', 'lost', ${IDS.agent}`), CHECK],
  [
    'same external id in a project',
    `insert into conversations (type, project_id, created_by_agent_id, external_id)
     values ('task', ${IDS.project}, ${IDS.agent}, 'c-1')`,
    UNIQUE,
  ],
  [
    'message of an unknown author type',
    `insert into messages (conversation_id, author_type, content)
     values (${IDS.conversation}, 'robot', 'x')`,
    CHECK,
  ],
  ['unknown task status', "update tasks set status = 'lost'", CHECK],
  ['unknown task priority', "update tasks set priority = 'huge'", CHECK],
  [
    'second issue of one number in a project',
    `insert into github_issues (github_id, number, title, project_id)
     values (2, 7, 't', ${IDS.project})`,
    UNIQUE,
  ],
  ['importance 11', 'update agent_memory set importance = 11', CHECK],
  ['importance 0', 'update agent_memory set importance = 0', CHECK],
  [
    'same memory twice, without a project',
    `insert into agent_memory (agent_id, category, key, value) values (${IDS.agent}, 'c', 'k', '2')`,
    UNIQUE,
  ],
  ['unknown severity', "update notifications set severity = 'dire'", CHECK],
  ['negative tokens in', insertUsage('tokens_in', '-1'), CHECK],
  ['negative tokens out', insertUsage('tokens_out', '-1'), CHECK],
  ['negative reasoning', insertUsage('tokens_reasoning', '-1'), CHECK],
  ['negative cost', insertUsage('cost_usd', '-0.000000001'), CHECK],
  ['unknown kind', insertUsage('kind', "'extra'"), CHECK],
  ['unknown usage source', insertUsage('usage_source', "'guessed'"), CHECK],
  ['lines that are no list', insertUsage('lines', "'{}'"), CHECK],
  ['usage of an unknown agent', insertUsage('agent_id', IDS.unknownReservation), FOREIGN_KEY],
  ['usage row twice', insertUsage('reservation_id', IDS.reservation), UNIQUE],
  [
    'usage without a day',
    "insert into token_usage (usage_date, model) values (null, 'm')",
    NOT_NULL,
  ],
  ['limit in no unit', insertLimit('amount_usd', 'null'), CHECK],
  ['limit in two units', insertLimit('amount_usd, amount_tokens', '1, 1'), CHECK],
  ['negative limit', insertLimit('amount_usd', '-1'), CHECK],
  ['daily concurrency', insertLimit('amount_concurrency', '1'), CHECK],
  ['threshold 0', insertLimit('amount_usd, alert_threshold', '1, 0'), CHECK],
  ['threshold over 1', insertLimit('amount_usd, alert_threshold', '1, 1.01'), CHECK],
  [
    'threshold over 1 in the list',
    insertLimit('amount_usd, alert_thresholds', "1, '{0.5,2}'"),
    CHECK,
  ],
  ['unknown action', insertLimit('amount_usd, action_on_exceed', "1, 'pray'"), CHECK],
  ['unknown fall-back', insertLimit('amount_usd, on_ledger_down', "1, 'hope'"), CHECK],
  ['raise without an end', insertLimit('amount_usd, raise_amount', '1, 2'), CHECK],
  ['unknown scope', "update budget_limits set scope_type = 'galaxy'", CHECK],
  ['unknown period', "update budget_limits set period = 'yearly'", CHECK],
  ['another scope for a limit', "update budget_limits set scope_type = 'project'", CHECK],
  ['another period for a limit', "update budget_limits set period = 'weekly'", CHECK],
  [
    'another unit for a limit',
    'update budget_limits set amount_usd = null, amount_tokens = 5',
    CHECK,
  ],
  [
    'two active limits of one name',
    "insert into budget_limits (name, scope_type, amount_usd, period) values ('all', 'global', 1, 'daily')",
    UNIQUE,
  ],
  ['key without a holder', 'update api_keys set agent_id = null', CHECK],
  ['admin key without a role', "update api_keys set kind = 'admin', agent_id = null", CHECK],
  ['short secret hash', "update api_keys set secret_hash = 'x'", CHECK],
  ['audit row changed', "update audit_log set action = 'nothing'", RESTRICTED],
  ['audit row deleted', 'delete from audit_log', RESTRICTED],
  ['audit log emptied', 'truncate audit_log', RESTRICTED],
  [
    'same alert twice',
    `insert into alerts (envelope_id, label, threshold, unit, committed, limit_amount)
     values ('limit:x', '2026-11', 0.8, 'nano_usd', 81, 100)`,
    UNIQUE,
  ],
  ['unknown unit', "update envelope_totals set unit = 'eur'", CHECK],
  ['rate of 0', 'update exchange_rates set usd_per_unit = 0', CHECK],
  ['second watermark', 'insert into ledger_watermark (only_row) values (false)', CHECK],
  ['second config version', 'insert into config_version default values', UNIQUE],
  ['negative min_chars', 'update slots set min_chars = -1', CHECK],
  [
    'same pair twice',
    `insert into person_occasions (person_id, occasion_id)
     values (${IDS.person}, ${IDS.occasion})`,
    UNIQUE,
  ],
  ['negative budget of a pair', 'update person_occasions set budget_amount = -1', CHECK],
  ['metrics of no turn', 'insert into turn_metrics (turn_id) values (999999)', FOREIGN_KEY],
];

eachDatabase('what a constraint must refuse is refused, each by its kind', async ({ database }) => {
  await insertRows(database);
  for (const [what, statement, state] of REFUSED) {
    const error = await database.run(statement).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect([what, sqlState(error)]).toEqual([what, state]);
  }
});

eachDatabase('what they must not refuse passes', async ({ database }) => {
  await insertRows(database);
  const correction = insertUsage('kind, tokens_in, cost_usd', "'adjust', -5, -0.5");
  await database.run(`
    ${correction};
    update budgets set reserved_tokens = 970;
    update budgets set allocated_tokens = 0, used_tokens = 0, reserved_tokens = 0,
      overrun_tokens = 30;
    insert into budget_limits (name, scope_type, amount_concurrency, period, is_active)
      values ('all', 'global', 5, 'ever', false);
    insert into budget_limits (name, scope_type, scope_key, amount_requests, period)
      values ('template', 'end_user', '*', 60, 'minutely');
    insert into api_keys (public_id, secret_hash, prefix, name, kind, role)
      values ('000000000000', decode(repeat('ff', 32), 'hex'), 'sk', 'n', 'admin', 'finance')`);
});

eachDatabase(
  'a person, task or agent that goes leaves the rows of what was spent',
  async (fresh) => {
    const { database } = fresh;
    await insertRows(database);
    await database.run(`delete from persons; delete from tasks; delete from budgets;
    delete from api_keys; delete from messages; delete from agent_memory;
    delete from conversations; delete from agents`);
    const rows = await database.query(
      'select tokens_out, agent_type, agent_id, person_id, task_id, message_id from token_usage',
    );
    expect(rows).toEqual([
      {
        tokens_out: 20,
        agent_type: 'coder',
        agent_id: null,
        person_id: null,
        task_id: null,
        message_id: null,
      },
    ]);
  },
);
