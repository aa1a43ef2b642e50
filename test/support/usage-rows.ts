// Many rows of usage at once, made by SQL: spread over two months, agents, models and tags, with
// amounts that only exact sums add up to.

import type { Database } from '#src/drivers/database.js';
import { WHO } from './usage.js';

export const ROWS_FROM = Date.UTC(2026, 9, 1);
export const AGENTS_COUNT = 20;

/** Beside `insertWho`: agents named `agent-1` and so on, of types in turn. */
export async function insertAgents(database: Database): Promise<void> {
  await database.run(`
    insert into agents (id, name, type, project_id)
    select ('00000000-0000-4000-8000-' || lpad((1000 + n)::text, 12, '0'))::uuid, 'agent-' || n,
      (array['coder', 'tester', 'reviewer'])[1 + n % 3], '${WHO.project}'
    from generate_series(1, ${AGENTS_COUNT}) n`);
}

/** Rows number `from` to `from + count - 1`; the same numbers are the same rows. */
export async function insertUsage(database: Database, from: number, count: number): Promise<void> {
  await database.query(
    `insert into token_usage (timestamp, usage_date, user_id, agent_id, agent_type, project_id,
       conversation_id, task_id, person_id, provider, model, kind, tokens_in, tokens_out,
       tokens_cached_read, tokens_reasoning, tokens_saved, saved_usd, cost_usd, overrun_usd, end_user, tags, attribution)
     select at, at::date, '${WHO.user}',
       case when h % 19 = 0 then null
         else ('00000000-0000-4000-8000-' || lpad((1001 + h % ${AGENTS_COUNT})::text, 12, '0'))::uuid
       end,
       case when h % 19 > 0 then (array['coder', 'tester', 'reviewer'])[1 + h % ${AGENTS_COUNT} % 3] end,
       case when h % ${AGENTS_COUNT} <> 7 then '${WHO.project}'::uuid end,
       case when h % 5 = 0 then '${WHO.conversation}'::uuid end,
       case when h % 3 = 0 then '${WHO.task}'::uuid end,
       case when h % 11 = 0 then '${WHO.person}'::uuid end,
       (array['openai', 'anthropic', null, 'local'])[1 + h / 7 % 4], 'model-' || h / 7 % 4,
       case when h % 50 = 0 then 'adjust' when h % 50 = 1 then 'late' else 'base' end,
       h % 5000, h % 700, h % 300, h % 40,
       h % 70, (h % 90) * 0.000000001,
       (case when h % 50 = 0 then -1 else 1 end) * (h % 100000007) * 0.000000001,
       (h % 3) * 0.000000001,
       case when h % 6 = 0 then 'user-' || h % 9 end,
       case when h % 4 = 0 then jsonb_build_object('team', 'team-' || h % 3) else '{}' end,
       case when h % 5 = 0 then '{"conversation": "conv-1", "issue": "7"}'::jsonb else '{}' end
     from (select n, (n * 2654435761) % 1000000007 as h from generate_series($1::bigint, $2) n) n,
       lateral (select to_timestamp($3::bigint / 1000.0) + (h % 5184000) * interval '1 second' as at)
         as t`,
    [from, from + count - 1, ROWS_FROM],
  );
}
