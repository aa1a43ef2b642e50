// Token envelopes: what each agent may use in all. Allocating changes the row and its mirrors in
// one statement, so that the checks of the table hold at every moment; moving takes from one agent
// and gives to another in one transaction.

import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { AMOUNT_MAX } from '../../core/money.js';
import type { Queryable } from '../../drivers/database.js';
import { type Actor, type AdminDeps, type AuditEntry, change, notFound } from './change.js';
import { type Entity, type EntityRow, readRow } from './entity.js';
import { refuseCrowd } from './limit-room.js';
import { type Page, type PageRequest, readPage } from './page.js';

export const BUDGET: Entity = {
  name: 'budget',
  table: 'budgets',
  columns: `id, agent_id, (select name from agents a where a.id = agent_id) as agent,
    allocated_tokens, used_tokens, reserved_tokens, overrun_tokens,
    allocated_tokens - used_tokens - reserved_tokens as remaining_tokens, version, created_at,
    updated_at`,
  hasOrigin: false,
};

export interface BudgetListRequest extends PageRequest {
  agent_id?: string | undefined;
}

export interface Allocation {
  agent_id: string;
  /** Exactly so many, or so many more (fewer, if negative). */
  tokens?: number | undefined;
  more_tokens?: number | undefined;
}

export interface Move {
  from_agent_id: string;
  to_agent_id: string;
  tokens: number;
}

export function listBudgets(
  deps: AdminDeps,
  request: BudgetListRequest,
): Promise<Page<EntityRow> | Refused> {
  const { agent_id: agentId } = request;
  const source = {
    from: BUDGET.table,
    columns: BUDGET.columns,
    time: 'created_at',
    id: 'id',
    where: agentId === undefined ? [] : ['agent_id = $1'],
    params: agentId === undefined ? [] : [agentId],
  };
  return readPage<EntityRow>(deps.database, source, request);
}

export const readBudget = (deps: AdminDeps, id: string) => readRow(deps.database, BUDGET, id);

type Audit = (entry: AuditEntry) => Promise<void>;

export function allocate(
  deps: AdminDeps,
  actor: Actor,
  { agent_id: agentId, tokens, more_tokens: more }: Allocation,
): Promise<EntityRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const before = await lockBudget(tx, agentId);
    if (isRefused(before)) return before;
    const wanted = tokens ?? Number(before?.allocated_tokens ?? 0) + (more ?? 0);
    const after = await setAllocated(tx, audit, agentId, before, wanted);
    if (isRefused(after) || before) return after;
    return (await refuseCrowd(tx, deps.log)) ?? after;
  });
}

/** Only what the first agent has not used can be given away. */
export function moveTokens(
  deps: AdminDeps,
  actor: Actor,
  { from_agent_id: fromId, to_agent_id: toId, tokens }: Move,
): Promise<{ from: EntityRow; to: EntityRow } | Refused> {
  return change(deps, actor, async (tx, audit) => {
    if (fromId === toId) {
      return refuse('invalid_value', 'Both are the same agent.', { param: 'to_agent_id' });
    }
    const locked = new Map<string, EntityRow | undefined>();
    for (const agentId of [fromId, toId].sort()) {
      const row = await lockBudget(tx, agentId);
      if (isRefused(row)) return row;
      locked.set(agentId, row);
    }
    const [from, to] = [locked.get(fromId), locked.get(toId)];
    if (!from) return notFound('budget');
    const left = Number(from.allocated_tokens) - Number(from.used_tokens);
    if (tokens > left) {
      const message = `Only ${left} tokens of this agent are not used.`;
      return refuse('invalid_value', message, { param: 'tokens' });
    }
    const less = Number(from.allocated_tokens) - tokens;
    const fromAfter = await setAllocated(tx, audit, fromId, from, less);
    if (isRefused(fromAfter)) return fromAfter;
    const more = Number(to?.allocated_tokens ?? 0) + tokens;
    const toAfter = await setAllocated(tx, audit, toId, to, more);
    if (isRefused(toAfter)) return toAfter;
    const crowded = to ? undefined : await refuseCrowd(tx, deps.log);
    return crowded ?? { from: fromAfter, to: toAfter };
  });
}

/** The agent's budget, locked; undefined where it has none yet. */
async function lockBudget(
  tx: Queryable,
  agentId: string,
): Promise<EntityRow | undefined | Refused> {
  // The agent's row is locked too, so that two first allocations do not both find no budget.
  const agents = await tx.query('select id from agents where id = $1 for update', [agentId]);
  if (agents.length === 0) return notFound('agent');
  const rows = await tx.query<EntityRow>(
    `select ${BUDGET.columns} from budgets where agent_id = $1 for update`,
    [agentId],
  );
  return rows[0];
}

const SET_ALLOCATED = `insert into budgets as b
    (agent_id, allocated_tokens, used_tokens, overrun_tokens)
  select $1::uuid, $2::bigint, least(u.total, $2), u.total - least(u.total, $2)
  from (select coalesce((select greatest(committed, 0) from envelope_totals
    where envelope_id = 'tokens:' || $1::uuid and label = 'ever'), 0) as total) u
  on conflict (agent_id) do update
  set allocated_tokens = excluded.allocated_tokens, used_tokens = excluded.used_tokens,
    overrun_tokens = excluded.overrun_tokens,
    reserved_tokens =
      least(b.reserved_tokens, excluded.allocated_tokens - excluded.used_tokens)
  returning ${BUDGET.columns}`;

async function setAllocated(
  tx: Queryable,
  audit: Audit,
  agentId: string,
  before: EntityRow | undefined,
  tokens: number,
): Promise<EntityRow | Refused> {
  if (tokens < 0 || tokens > AMOUNT_MAX) {
    return refuse('invalid_value', `An allocation is from 0 to ${AMOUNT_MAX} tokens.`, {
      param: 'tokens',
    });
  }
  const rows = await tx.query<EntityRow>(SET_ALLOCATED, [agentId, tokens]);
  const row = rows[0]!;
  await audit({ action: 'allocate', entity: 'budget', entityId: row.id, before, after: row });
  return row;
}
