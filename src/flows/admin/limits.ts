// Limits: whom, how much, how often. Scope, unit and period never change (another one is another
// row); amount and mode do, and every such change gets a higher version, by which the ledger knows
// new from old. Where nothing is said, a limit blocks.

import type { Unit } from '../../core/amount.js';
import type { Mode, ScopeType } from '../../core/envelope.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { formatUsd, parseUsd, toNumericUsd } from '../../core/money.js';
import type { Period } from '../../core/period.js';
import type { Queryable } from '../../drivers/database.js';
import { type Actor, type AdminDeps, change } from './change.js';
import {
  type Columns,
  changeEntity,
  type Entity,
  type EntityRow,
  insertRow,
  type ListRequest,
  listRows,
  readRow,
} from './entity.js';
import { refuseCrowd } from './limit-room.js';

export const LIMIT: Entity = {
  name: 'limit',
  table: 'budget_limits',
  columns: `id, name, scope_type, scope_id, scope_agent_type, scope_key, amount_usd, amount_tokens,
    amount_requests, amount_concurrency, period, action_on_exceed, on_ledger_down, strict, visible,
    alert_threshold::float8 as alert_threshold, alert_thresholds::float8[] as alert_thresholds,
    time_zone, week_start, anchor_day, version, origin, is_active, created_at, updated_at`,
  hasOrigin: true,
};

/** An amount in its unit: nano-USD, tokens, requests or calls at once. */
export interface LimitAmount {
  unit: Unit;
  amount: number;
}

export interface LimitTerms {
  name?: string | undefined;
  action_on_exceed?: Mode | undefined;
  on_ledger_down?: 'refuse' | 'continue' | undefined;
  strict?: boolean | undefined;
  visible?: boolean | undefined;
  alert_threshold?: number | undefined;
  alert_thresholds?: number[] | undefined;
  time_zone?: string | undefined;
  week_start?: number | undefined;
  anchor_day?: number | undefined;
  is_active?: boolean | undefined;
}

export interface LimitScope {
  scope_type: ScopeType;
  scope_id: string | null;
  scope_agent_type: string | null;
  scope_key: string | null;
}

export type NewLimit = LimitTerms & LimitScope & LimitAmount & { period: Period };

const UNITS: Record<Unit, { column: string; word: string }> = {
  nano_usd: { column: 'amount_usd', word: 'usd' },
  tokens: { column: 'amount_tokens', word: 'tokens' },
  requests: { column: 'amount_requests', word: 'requests' },
  concurrency: { column: 'amount_concurrency', word: 'concurrency' },
};

export async function listLimits(deps: AdminDeps, request: ListRequest) {
  const page = await listRows(deps, LIMIT, request);
  return isRefused(page) ? page : { ...page, data: page.data.map(shown) };
}

export const readLimit = async (deps: AdminDeps, id: string) =>
  shownOr(await readRow(deps.database, LIMIT, id));

export async function createLimit(
  deps: AdminDeps,
  actor: Actor,
  limit: NewLimit,
): Promise<EntityRow | Refused> {
  const made = await change(deps, actor, async (tx, audit) => {
    const scope = await scopeText(tx, limit);
    if (isRefused(scope)) return scope;
    const { unit, amount, ...rest } = limit;
    const { column, word } = UNITS[unit];
    const columns: Columns = {
      ...rest,
      name: limit.name ?? `${scope}/${word}/${limit.period}`,
      action_on_exceed: limit.action_on_exceed ?? 'block',
      [column]: amountColumn(unit, amount),
    };
    const row = await insertRow(tx, LIMIT, columns);
    const crowded = await refuseCrowd(tx, deps.log);
    if (crowded) return crowded;
    await audit({ action: 'create', entity: 'limit', entityId: row.id, after: shown(row) });
    return row;
  });
  return shownOr(made);
}

/** The amount, if given, must be in the limit's own unit. */
export async function changeLimit(
  deps: AdminDeps,
  actor: Actor,
  id: string,
  terms: LimitTerms,
  amount: LimitAmount | undefined,
): Promise<EntityRow | Refused> {
  const column = amount && UNITS[amount.unit].column;
  const columns: Columns = { ...terms };
  if (amount && column) columns[column] = amountColumn(amount.unit, amount.amount);
  const changed = await changeEntity(deps, actor, LIMIT, id, {
    action: 'update',
    columns,
    before: (row) => (column && row[column] === null ? otherUnit(column) : undefined),
    after: (tx) => refuseCrowd(tx, deps.log),
  });
  return shownOr(changed);
}

export const removeLimit = async (deps: AdminDeps, actor: Actor, id: string) =>
  shownOr(
    await changeEntity(deps, actor, LIMIT, id, {
      action: 'deactivate',
      columns: { is_active: false },
    }),
  );

/** The amount as its column takes it. */
export function amountColumn(unit: Unit, amount: number): string | number {
  return unit === 'nano_usd' ? toNumericUsd(amount) : amount;
}

export function amountColumnName(unit: Unit): string {
  return UNITS[unit].column;
}

function otherUnit(column: string): Refused {
  return refuse('invalid_value', 'The unit of a limit never changes: make another limit.', {
    param: column,
  });
}

// `agent:demo/coder-1`, `person:ada`, `global`: the part of a limit's name that says for whom.
async function scopeText(tx: Queryable, scope: LimitScope): Promise<string | Refused> {
  const { scope_type: type, scope_id: id } = scope;
  if (type === 'global') return 'global';
  if (type !== 'project' && type !== 'agent') {
    return `${type}:${scope.scope_agent_type ?? scope.scope_key ?? ''}`;
  }
  const rows = await tx.query<{ name: string }>(
    type === 'project'
      ? 'select name from projects where id = $1'
      : `select concat_ws('/', projects.name, agents.name) as name
         from agents left join projects on projects.id = project_id where agents.id = $1`,
    [id],
  );
  const name = rows[0]?.name;
  if (name !== undefined) return `${type}:${name}`;
  return refuse('invalid_value', `There is no such ${type}.`, { param: 'scope_id' });
}

function shownOr(row: EntityRow | Refused): EntityRow | Refused {
  return isRefused(row) ? row : shown(row);
}

function shown(row: EntityRow): EntityRow {
  const nano = typeof row.amount_usd === 'string' ? parseUsd(row.amount_usd) : undefined;
  return nano === undefined ? row : { ...row, amount_usd: formatUsd(nano) };
}
