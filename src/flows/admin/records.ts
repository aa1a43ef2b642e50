// What has happened, a page at a time, newest first: rows of usage and lines of the audit log.

import type { Refused } from '../../core/errors.js';
import type { AdminDeps } from './change.js';
import type { EntityRow } from './entity.js';
import { type Page, type PageRequest, readPage } from './page.js';

export interface UsageRequest extends PageRequest {
  agent_id?: string | undefined;
  project_id?: string | undefined;
  reservation_id?: string | undefined;
  /** From this moment on, and up to but not at that one. */
  from?: Date | undefined;
  to?: Date | undefined;
}

export function listUsage(
  deps: AdminDeps,
  request: UsageRequest,
): Promise<Page<EntityRow> | Refused> {
  const conditions = [
    ['agent_id = ', request.agent_id],
    ['project_id = ', request.project_id],
    ['reservation_id = ', request.reservation_id],
    ['timestamp >= ', request.from],
    ['timestamp < ', request.to],
  ] as const;
  const given = conditions.filter(([, value]) => value !== undefined);
  const source = {
    from: 'token_usage',
    columns: `id, timestamp, reservation_id, kind, outcome, user_id, agent_id, agent_type,
      project_id, api_key_id, provider, model, tokens_in, tokens_out, tokens_cached_read,
      tokens_cache_write, tokens_reasoning, cost_usd, fee_usd, overrun_usd, tokens_saved,
      saved_usd, price_version,
      usage_source, attempts, request_duration_ms, end_user, tags, attribution, lines`,
    time: 'timestamp',
    id: 'id',
    newestFirst: true,
    where: given.map(([condition], index) => `${condition}$${index + 1}`),
    params: given.map(([, value]) => value),
  };
  return readPage<EntityRow>(deps.database, source, request);
}

export function listAudit(
  deps: AdminDeps,
  request: PageRequest,
): Promise<Page<EntityRow> | Refused> {
  const source = {
    from: 'audit_log',
    columns: `id::text as id, at, actor_kind, actor_id, via, action, entity, entity_id, before,
      after, request_id, reason`,
    time: 'at',
    id: 'id',
    newestFirst: true,
  };
  return readPage<EntityRow>(deps.database, source, request);
}
