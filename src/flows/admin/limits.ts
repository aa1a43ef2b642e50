// Limits: whom, how much, how often. Scope, unit and period never change (another one is another
// row); amount and mode do, and every such change gets a higher version, by which the ledger knows
// new from old. Where nothing is said, a limit blocks.

import type { Unit } from '../../core/amount.js';
import type { Mode } from '../../core/envelope.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { formatUsd, parseUsd, toNumericUsd } from '../../core/money.js';
import type { Period } from '../../core/period.js';
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
import { amountOfRow, type RaiseInput, raiseColumns, shownRaise } from './limit-raise.js';
import { refuseCrowd } from './limit-room.js';
import { type LimitScope, scopeText } from './limit-scope.js';

export const LIMIT: Entity = {
  name: 'limit',
  table: 'budget_limits',
  columns: `id, name, scope_type, scope_id, scope_agent_type, scope_key, amount_usd, amount_tokens,
    amount_requests, amount_concurrency, period, action_on_exceed, on_ledger_down, strict, visible,
    alert_threshold::float8 as alert_threshold, alert_thresholds::float8[] as alert_thresholds,
    time_zone, week_start, anchor_day, raise_amount, raise_until, version, origin, is_active,
    created_at, updated_at`,
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

export type NewLimit = LimitTerms & LimitScope & LimitAmount & RaiseInput & { period: Period };

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
    const { unit, amount, raise_amount, raise_until, ...rest } = limit;
    const { column, word } = UNITS[unit];
    const asked = { raise_amount, raise_until };
    const raise = raiseColumns(asked, unit, amount, deps.clock.nowMs());
    if (isRefused(raise)) return raise;
    const columns: Columns = {
      ...rest,
      ...raise,
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
  { raise_amount, raise_until, ...terms }: LimitTerms & RaiseInput,
  amount: LimitAmount | undefined,
): Promise<EntityRow | Refused> {
  const column = amount && UNITS[amount.unit].column;
  const columns: Columns = { ...terms };
  if (amount && column) columns[column] = amountColumn(amount.unit, amount.amount);
  const before = (row: EntityRow): Refused | undefined => {
    if (column && row[column] === null) return otherUnit(column);
    const old = amountOfRow(row);
    const asked = { raise_amount, raise_until };
    const raise = raiseColumns(asked, old.unit, amount?.amount ?? old.amount, deps.clock.nowMs());
    if (isRefused(raise)) return raise;
    Object.assign(columns, raise);
    return undefined;
  };
  const changed = await changeEntity(deps, actor, LIMIT, id, {
    action: 'update',
    columns,
    before,
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

function shownOr(row: EntityRow | Refused): EntityRow | Refused {
  return isRefused(row) ? row : shown(row);
}

function shown(row: EntityRow): EntityRow {
  const nano = typeof row.amount_usd === 'string' ? parseUsd(row.amount_usd) : undefined;
  const raised = shownRaise(row);
  return nano === undefined ? raised : { ...raised, amount_usd: formatUsd(nano) };
}
