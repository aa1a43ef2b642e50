import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import { describeSchema } from '#src/drivers/catalogue.js';
import { SQL_DIR } from '#src/drivers/migration-files.js';
import { eachDatabase, warmPglite } from '../support/databases.js';

const committed = await readFile(join(SQL_DIR, 'schema.sql'), 'utf8');

// By the names of the seeds; what they do not name is in schema.sql.
const SEEDED_INDEXES = `
  idx_projects_owner(owner_id) idx_projects_github(github_repo)
  idx_agents_project(project_id) idx_agents_type(type)
  idx_conversations_project(project_id) idx_conversations_status(status)
  idx_messages_conversation_created(conversation_id, created_at) idx_messages_agent(agent_id)
  idx_issues_project(project_id) idx_issues_state(state) idx_issues_conversation(conversation_id)
  idx_prs_project(project_id) idx_prs_issue(issue_id) idx_prs_state(state)
  idx_prs_agent(created_by_agent_id)
  idx_tasks_project(project_id) idx_tasks_agent(assigned_to_agent_id)
  idx_tasks_status_priority(status, priority) idx_tasks_issue(issue_id)
  idx_token_usage_timestamp("timestamp") idx_token_usage_agent(agent_id)
  idx_token_usage_project(project_id) idx_token_usage_conversation(conversation_id)
  idx_token_usage_date(usage_date)
  idx_budget_scope(scope_type, scope_id) idx_budget_agent_type(scope_type, scope_agent_type)
  idx_notifications_user(user_id) idx_notifications_read(user_id, is_read)
  idx_notifications_created(created_at)
  idx_agent_memory_agent(agent_id) idx_agent_memory_project(project_id)
  idx_agent_memory_expires(expires_at)
  idx_webhooks_project(project_id) idx_webhooks_processed(processed)
  idx_webhooks_created(created_at)
  idx_budgets_agent(agent_id)
  idx_person_occasion_budget(person_id, occasion_id, budget_amount)
  idx_person_occasions_occasion(occasion_id, person_id)
`.match(/idx_\w+\([^)]*\)/g);

beforeAll(warmPglite);

eachDatabase('the schema is the committed one, to the letter', async ({ database }) => {
  // Where the difference is meant: npx vitest run test/migrations/schema -u
  await expect(await describeSchema(database)).toMatchFileSnapshot('../../sql/schema.sql');
});

eachDatabase(
  'the committed schema can be loaded and describes itself',
  async (fresh) => {
    await fresh.database.run('set check_function_bodies = off');
    await fresh.database.run(committed);
    expect(await describeSchema(fresh.database)).toBe(committed);
  },
  { empty: true },
);

eachDatabase('every index of the seeds is there by its name', async ({ database }) => {
  const rows = await database.query<{ definition: string }>(
    `select indexname || substring(indexdef from '\\(.*\\)') as definition from pg_indexes
     where schemaname = 'public'`,
  );
  const live = new Set(rows.map(({ definition }) => definition));
  expect(SEEDED_INDEXES).toHaveLength(38);
  expect(SEEDED_INDEXES?.filter((index) => !live.has(index))).toEqual([]);
});

eachDatabase('monthly partitions do not change the described schema', async ({ database }) => {
  await database.query("select make_token_usage_partitions('2026-11-21', 3)");
  expect(await describeSchema(database)).toBe(committed);
});
