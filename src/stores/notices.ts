// Notices on their way out. A producer writes one row, whoever it goes to; the delivery makes of it
// one row a destination, claims it for a while, and marks what became of it. The id of a row is the
// id of the webhook, so that a receiver can tell a second try from a second notice.

import type { JsonObject } from '../core/json.js';
import type { Database, Queryable } from '../drivers/database.js';

export interface Notice {
  id: string;
  type: string;
  destination: string;
  payload: JsonObject;
  /** This one included. */
  attempts: number;
}

export interface NoticeQueue {
  /** Gives what is new to each destination, and answers some that are due. */
  claim(destinations: readonly string[], limit: number, leaseMs: number): Promise<Notice[]>;
  delivered(id: string): Promise<void>;
  /** Tried again after a while; `null`: never again. */
  failed(id: string, error: string, againInMs: number | null): Promise<void>;
}

/** What is told, and to whom: the project's owner, or every admin where it is of no project. */
export interface News {
  type: string;
  /** Told once, however many tell it. */
  key: string;
  title: string;
  message: string;
  severity: 'info' | 'warning' | 'critical';
  about: JsonObject;
  projectId?: string | null;
  agentId?: string | null;
}

const TITLE_LENGTH_MAX = 200;

const INSERT_NEWS = `with news as (
  insert into outbox (type, dedupe_key, payload) values ($1, $2, $3)
  on conflict (dedupe_key) do nothing returning payload)
insert into notifications
  (type, title, message, severity, user_id, project_id, agent_id, metadata)
select $1, $4, $5, $6, u.id, p.id, a.id, news.payload
from news
left join projects p on p.id = $7::uuid
left join agents a on a.id = $8::uuid
join users u on u.is_active and (u.id = p.owner_id or (p.id is null and u.is_admin))`;

export async function enqueueNotice(tx: Queryable, news: News, atMs: number): Promise<void> {
  const { type, key, title, message, severity, about, projectId, agentId } = news;
  const data = { ...about, title, message };
  await tx.query(INSERT_NEWS, [
    type,
    key,
    { type, timestamp: new Date(atMs).toISOString(), data },
    title.slice(0, TITLE_LENGTH_MAX),
    message,
    severity,
    projectId ?? null,
    agentId ?? null,
  ]);
}

const FAN_OUT = `with fresh as (
  update outbox set delivered_at = now() where id in (
    select id from outbox where destination is null and delivered_at is null and dead_at is null
    order by created_at limit 100 for update skip locked)
  returning id, type, dedupe_key, payload, created_at)
insert into outbox (type, dedupe_key, destination, payload)
select type, coalesce(dedupe_key, id::text) || ' to ' || d.name, d.name, payload
from fresh cross join unnest($1::text[]) as d(name)
order by fresh.created_at
on conflict (dedupe_key) do nothing`;

const CLAIM = `update outbox
set attempts = attempts + 1,
  next_attempt_at = now() + $3::integer * interval '1 millisecond'
where id in (
  select id from outbox
  where destination = any($1::text[]) and delivered_at is null and dead_at is null
    and next_attempt_at <= now()
  order by next_attempt_at limit $2 for update skip locked)
returning id, type, destination, payload, attempts`;

export function createNoticeQueue(database: Database): NoticeQueue {
  return {
    async claim(destinations, limit, leaseMs) {
      await database.query(FAN_OUT, [destinations]);
      return database.query<Notice>(CLAIM, [destinations, limit, leaseMs]);
    },
    async delivered(id) {
      await database.query('update outbox set delivered_at = now() where id = $1', [id]);
    },
    async failed(id, error, againInMs) {
      await database.query(
        `update outbox set last_error = $2,
           dead_at = case when $3::bigint is null then now() end,
           next_attempt_at = now() + coalesce($3::bigint, 0) * interval '1 millisecond'
         where id = $1`,
        [id, error.slice(0, 500), againInMs],
      );
    },
  };
}
