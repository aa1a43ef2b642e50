// The limits of the configuration file as rows. A limit that comes back, or is renamed to what it
// was, is the same row again, so that what was spent under it is not forgotten; one whose scope,
// unit or period is another under the same name is another row.

import type { Unit } from '../../core/amount.js';
import type { Mode, ScopeType } from '../../core/envelope.js';
import { OperatorError } from '../../core/errors.js';
import type { Calendar, Period } from '../../core/period.js';
import type { Queryable } from '../../drivers/database.js';
import type { EntityRow } from './entity.js';
import { amountColumn, amountColumnName, LIMIT } from './limits.js';
import { deactivateRest, put, type Told } from './put.js';

export interface ConfiguredLimit {
  /** Unique among the active. */
  name: string;
  scopeType: ScopeType;
  /** Name of the project, with scope `project`, and where known with scope `agent`. */
  project: string | null;
  agent: string | null;
  agentType: string | null;
  /** The value of every other scope; `*` is a template. */
  scopeKey: string | null;
  unit: Unit;
  /** In the unit: nano-USD, tokens, requests, or calls at once. */
  amount: number;
  period: Period;
  calendar: Calendar;
  mode: Mode;
  strict: boolean;
  visible: boolean;
  onLedgerDown: 'refuse' | 'continue';
  /** Ascending; the first is `alert_threshold`. */
  thresholds: readonly number[];
}

export async function applyLimits(
  tx: Queryable,
  told: Told,
  wanted: readonly ConfiguredLimit[],
): Promise<void> {
  const plans = [];
  const names = new Set<string>();
  for (const limit of wanted) {
    if (names.has(limit.name)) throw twice(limit.name);
    names.add(limit.name);
    const identity = await identityOf(tx, limit);
    plans.push({ limit, identity, found: await findLimit(tx, limit.name, identity) });
  }
  // Names are unique among active rows: whoever has to give one up does so first.
  await deactivateRest(
    tx,
    told,
    LIMIT,
    plans.flatMap(({ found }) => found?.id ?? []),
  );
  for (const { limit, identity, found } of plans) {
    await freeName(tx, limit.name, found?.id);
    const fixed = { name: limit.name, ...identity };
    await put(tx, told, LIMIT, limit.name, { found, columns: termsOf(limit), fixed });
  }
}

interface Identity {
  scope_type: ScopeType;
  scope_id: string | null;
  scope_agent_type: string | null;
  scope_key: string | null;
  period: Period;
}

function termsOf(limit: ConfiguredLimit) {
  const [first, ...more] = limit.thresholds;
  return {
    [amountColumnName(limit.unit)]: amountColumn(limit.unit, limit.amount),
    action_on_exceed: limit.mode,
    on_ledger_down: limit.onLedgerDown,
    strict: limit.strict,
    visible: limit.visible,
    alert_threshold: first ?? 0.8,
    alert_thresholds: more,
    time_zone: limit.calendar.timeZone,
    week_start: limit.calendar.weekStart,
    anchor_day: limit.calendar.anchorDay,
  };
}

async function identityOf(tx: Queryable, limit: ConfiguredLimit): Promise<Identity> {
  return {
    scope_type: limit.scopeType,
    scope_id: await scopeIdOf(tx, limit),
    scope_agent_type: limit.agentType,
    scope_key: limit.scopeKey,
    period: limit.period,
  };
}

async function scopeIdOf(tx: Queryable, limit: ConfiguredLimit): Promise<string | null> {
  const { scopeType, project, agent, name } = limit;
  if (scopeType !== 'project' && scopeType !== 'agent') return null;
  const rows = await tx.query<{ id: string }>(
    scopeType === 'project'
      ? 'select id from projects where name = $1 and is_active'
      : `select agents.id from agents left join projects on projects.id = project_id
         where agents.name = $1 and agents.is_active
           and ($2::text is null or projects.name = $2)`,
    scopeType === 'project' ? [project] : [agent, project],
  );
  const [first, second] = rows;
  if (first && !second) return first.id;
  const whom = scopeType === 'project' ? project : agent;
  const how = first ? 'names more than one' : 'names no';
  const remedy = first ? 'Say which by `project:`.' : `Add ${whom} to \`${scopeType}s\`.`;
  throw new OperatorError(`The limit ${name} ${how} active ${scopeType} ${whom}.`, remedy);
}

async function findLimit(
  tx: Queryable,
  name: string,
  identity: Identity,
): Promise<EntityRow | undefined> {
  const rows = await tx.query<EntityRow>(
    `select ${LIMIT.columns} from budget_limits
     where name = $1 and scope_type = $2 and scope_id is not distinct from $3::uuid
       and scope_agent_type is not distinct from $4 and scope_key is not distinct from $5
       and period = $6
     order by is_active desc, updated_at desc limit 1`,
    [
      name,
      identity.scope_type,
      identity.scope_id,
      identity.scope_agent_type,
      identity.scope_key,
      identity.period,
    ],
  );
  return rows[0];
}

// Looked up first: an UPDATE of no row would still count as a change of the configuration.
async function freeName(tx: Queryable, name: string, keptId: string | undefined): Promise<void> {
  const rows = await tx.query<{ id: string }>(
    'select id from budget_limits where name = $1 and is_active and id is distinct from $2::uuid',
    [name, keptId ?? null],
  );
  for (const { id } of rows) {
    await tx.query('update budget_limits set is_active = false where id = $1', [id]);
  }
}

function twice(name: string): OperatorError {
  return new OperatorError(`Two limits of the file are called ${name}.`, 'Give one another name.');
}
