// A row or more in every table that there is, whatever the version of the schema.

import type { Database } from '#src/drivers/database.js';

const id = (number: number) => `'00000000-0000-7000-8000-${String(number).padStart(12, '0')}'`;

/** Ids of the rows that tests refer to. */
export const IDS = {
  user: id(1),
  project: id(2),
  agent: id(3),
  conversation: id(4),
  message: id(5),
  issue: id(6),
  pullRequest: id(7),
  task: id(8),
  limit: id(9),
  person: id(10),
  occasion: id(11),
  reservation: id(12),
  key: id(13),
  pair: id(14),
  template: id(15),
  slot: id(16),
  unknownReservation: id(99),
};

export const ROWS: readonly [table: string, insert: string][] = [
  ['users', `(id, username, email, password_hash) values (${IDS.user}, 'a', 'a@b', '!')`],
  ['projects', `(id, name, owner_id) values (${IDS.project}, 'demo', ${IDS.user})`],
  [
    'agents',
    `(id, name, type, project_id) values (${IDS.agent}, 'coder-1', 'coder', ${IDS.project})`,
  ],
  ['persons', `(id, name, external_id) values (${IDS.person}, 'Mom', 'mom')`],
  ['occasions', `(id, name, external_id) values (${IDS.occasion}, 'Christmas', 'xmas')`],
  [
    'conversations',
    `(id, type, project_id, created_by_agent_id, external_id)
     values (${IDS.conversation}, 'task', ${IDS.project}, ${IDS.agent}, 'c-1')`,
  ],
  [
    'conversation_participants',
    `(conversation_id, agent_id) values (${IDS.conversation}, ${IDS.agent})`,
  ],
  [
    'messages',
    `(id, conversation_id, author_type, agent_id, content)
     values (${IDS.message}, ${IDS.conversation}, 'agent', ${IDS.agent}, 'hello')`,
  ],
  [
    'github_issues',
    `(id, github_id, number, title, project_id) values (${IDS.issue}, 1, 7, 't', ${IDS.project})`,
  ],
  [
    'pull_requests',
    `(id, github_id, number, title, branch_from, branch_to, project_id, issue_id)
     values (${IDS.pullRequest}, 1, 8, 't', 'a', 'b', ${IDS.project}, ${IDS.issue})`,
  ],
  [
    'tasks',
    `(id, title, project_id, assigned_to_agent_id, external_id)
     values (${IDS.task}, 't', ${IDS.project}, ${IDS.agent}, 't-1')`,
  ],
  [
    'turns',
    `(reservation_id, agent_id, project_id, model)
     values (${IDS.reservation}, ${IDS.agent}, ${IDS.project}, 'sandbox/echo')`,
  ],
  [
    'token_usage',
    `(reservation_id, usage_date, agent_id, agent_type, message_id, project_id, task_id, model,
      tokens_in, tokens_out, cost_usd, person_id, occasion_id, lines)
     values (${IDS.reservation}, '2026-11-21', ${IDS.agent}, 'coder', ${IDS.message},
       ${IDS.project}, ${IDS.task}, 'sandbox/echo', 10, 20, 0.000000001, ${IDS.person},
       ${IDS.occasion}, '[{"e": "limit:x", "l": "2026-11", "u": "nano_usd", "a": 1, "o": 0}]')`,
  ],
  [
    'budget_limits',
    `(id, name, scope_type, amount_usd, period) values (${IDS.limit}, 'all', 'global', 100, 'daily')`,
  ],
  ['notifications', `(type, title, message, user_id) values ('budget', 't', 'm', ${IDS.user})`],
  ['agent_memory', `(agent_id, category, key, value) values (${IDS.agent}, 'c', 'k', '1')`],
  ['webhooks', `(project_id, source, event_type, payload) values (${IDS.project}, 's', 'e', '{}')`],
  ['budgets', `(agent_id, allocated_tokens, used_tokens) values (${IDS.agent}, 1000, 30)`],
  [
    'api_keys',
    `(id, public_id, secret_hash, prefix, name, agent_id) values (${IDS.key}, 'abcdefABC012',
      decode(repeat('00', 32), 'hex'), 'sk-purser-abcd', 'first', ${IDS.agent})`,
  ],
  ['tiers', `(tier, access_level) values (4, 'pro')`],
  ['tier_overrides', `(project_id, tier, access_level) values (${IDS.project}, 4, 'free')`],
  ['settings', `(key, value) values ('k', '"v"')`],
  ['audit_log', `(actor_kind, via, action, entity) values ('user', 'cli', 'create', 'limits')`],
  [
    'envelope_totals',
    `(envelope_id, label, unit, committed) values ('limit:x', 'ever', 'tokens', 1)`,
  ],
  ['budget_periods', `(envelope_id, label, unit) values ('limit:x', '2026-11', 'nano_usd')`],
  [
    'alerts',
    `(envelope_id, label, threshold, unit, committed, limit_amount)
     values ('limit:x', '2026-11', 0.8, 'nano_usd', 80, 100)`,
  ],
  ['outbox', `(type, payload) values ('budget.exhausted', '{}')`],
  ['gateways', `(id) values ('gateway-1')`],
  ['exchange_rates', `(currency, valid_from, usd_per_unit) values ('EUR', '2026-11-01', 1.1)`],
  [
    'response_ids',
    `(id, provider, key_id, expires_at) values ('resp_1', 'openai', ${IDS.key}, now())`,
  ],
  [
    'idempotency_keys',
    `(actor_id, key, request_hash) values (${IDS.key}, 'k', decode(repeat('00', 32), 'hex'))`,
  ],
  ['unsettled_calls', `(reservation_id, event, next_attempt_at) values (${IDS.key}, '{}', now())`],
  ['calibrations', `(target, bucket, seen) values ('a/b', 125, 3)`],
  ['slots', `(id, project_id, key) values (${IDS.slot}, ${IDS.project}, 'extra')`],
  ['templates', `(id, project_id, name) values (${IDS.template}, ${IDS.project}, 'default')`],
  ['prompt_templates', `(template_id, slot_id, position) values (${IDS.template}, ${IDS.slot}, 0)`],
  [
    'turn_metrics',
    `(turn_id, tokens_before, tokens_after)
     select id, 10, 5 from turns where reservation_id = ${IDS.reservation}`,
  ],
  [
    'person_occasions',
    `(id, person_id, occasion_id) values (${IDS.pair}, ${IDS.person}, ${IDS.occasion})`,
  ],
];

/** Fills every table that there is. */
export async function insertRows(database: Database): Promise<void> {
  const tables = new Set(Object.keys(await countRows(database)));
  const present = ROWS.filter(([table]) => tables.has(table));
  await database.run(present.map(([table, values]) => `insert into ${table} ${values}`).join(';'));
  if (!tables.has('prompt_snapshots')) return;
  const column = (await hasColumn(database, 'prompt_snapshots', 'reservation_id'))
    ? 'reservation_id'
    : 'turn_id';
  await database.run(`insert into prompt_snapshots (${column}, prompt_hash)
    values (${IDS.reservation}, 'known'), (${IDS.unknownReservation}, 'unknown'), (null, 'none')`);
}

/** Rows by table; the runner's own table is left out. */
export async function countRows(database: Database): Promise<Record<string, number>> {
  const tables = await database.query<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public'
     and table_name <> 'schema_migrations' and table_name not like 'token_usage_%' order by 1`,
  );
  if (tables.length === 0) return {};
  const counts = await database.query<{ name: string; count: number }>(
    tables
      .map(({ name }) => `select '${name}' as name, count(*) as count from ${name}`)
      .join(' union all '),
  );
  return Object.fromEntries(counts.map(({ name, count }) => [name, count]));
}

export async function hasColumn(
  database: Database,
  table: string,
  column: string,
): Promise<boolean> {
  const rows = await database.query(
    `select from information_schema.columns
     where table_schema = 'public' and table_name = $1 and column_name = $2`,
    [table, column],
  );
  return rows.length === 1;
}
