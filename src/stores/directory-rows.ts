// Rows of SQL as the directory's values. A limit that a counter cannot hold (only SQL by hand can
// write one) is taken as the most that one can: too low is safe, too high is not.

import type { Unit } from '../core/amount.js';
import type {
  AgentRow,
  DirectorySnapshot,
  KeyDimensions,
  KeyRow,
  LimitRow,
  ProjectRow,
  TokenBudgetRow,
} from '../core/directory.js';
import type { Log } from '../core/log.js';
import { AMOUNT_MAX, parseUsd } from '../core/money.js';
import type { Queryable } from '../drivers/database.js';
import { readPolicyRows } from './directory-policy-rows.js';

/** While there is such a row in `settings`, no call is taken. */
export const STOP_SETTING = 'kill_switch';

type Rows = Omit<DirectorySnapshot, 'version'>;

export async function readRows(database: Queryable, log: Log): Promise<Rows> {
  const [keys, projects, agents, limits, budgets, stopped, policy] = await Promise.all([
    readKeys(database),
    database.query<ProjectRow>(
      `select id, name, owner_id as "ownerId", is_active as "isActive" from projects`,
    ),
    database.query<AgentRow>(
      `select id, name, type, project_id as "projectId", tier, model_config as "modelConfig",
         is_active as "isActive" from agents`,
    ),
    readLimits(database, log),
    database.query<TokenBudgetRow>(
      `select id, agent_id as "agentId", allocated_tokens as "allocatedTokens", version
       from budgets`,
    ),
    database.query<{ reason: string }>(
      `select value->>'reason' as reason from settings where key = '${STOP_SETTING}'`,
    ),
    readPolicyRows(database, log),
  ]);
  return {
    keysByPublicId: new Map(keys.map((row) => [row.publicId, row])),
    projects: new Map(projects.map((row) => [row.id, row])),
    agents: new Map(agents.map((row) => [row.id, row])),
    limits,
    tokenBudgetsByAgent: new Map(budgets.map((row) => [row.agentId, row])),
    ...policy,
    ...(stopped[0] && { stopped: stopped[0] }),
  };
}

interface SqlKey extends Omit<KeyRow, `${string}AtMs` | 'graceUntilMs' | 'dimensions'> {
  fixed: KeyDimensions['fixed'];
  required: KeyDimensions['required'];
  allowed: KeyDimensions['allowed'];
  expires: Date | null;
  disabled: Date | null;
  revoked: Date | null;
  grace: Date | null;
}

async function readKeys(database: Queryable): Promise<KeyRow[]> {
  const rows = await database.query<SqlKey>(
    `select id, public_id as "publicId", secret_hash as "secretHash", kind, role,
       agent_id as "agentId", user_id as "userId", allowed_models as "allowedModels",
       expires_at as expires, disabled_at as disabled, revoked_at as revoked,
       grace_until as grace, fixed_dimensions as fixed, required_dimensions as required,
       allowed_dimensions as allowed from api_keys`,
  );
  return rows.map(({ expires, disabled, revoked, grace, fixed, required, allowed, ...row }) => ({
    ...row,
    dimensions: { fixed, required, allowed },
    expiresAtMs: expires?.getTime() ?? null,
    disabledAtMs: disabled?.getTime() ?? null,
    revokedAtMs: revoked?.getTime() ?? null,
    graceUntilMs: grace?.getTime() ?? null,
  }));
}

interface SqlLimit
  extends Omit<LimitRow, 'unit' | 'amount' | 'raise' | 'calendar' | 'thresholds' | 'version'> {
  usd: string | null;
  tokens: number | bigint | null;
  requests: number | bigint | null;
  concurrency: number | bigint | null;
  zone: string;
  weekStart: number;
  anchorDay: number;
  first: string | null;
  more: string[];
  version: number;
  raised: string | null;
  until: Date | null;
}

async function readLimits(database: Queryable, log: Log): Promise<LimitRow[]> {
  const rows = await database.query<SqlLimit>(
    `select id, name, scope_type as "scopeType", scope_id as "scopeId",
       scope_agent_type as "scopeAgentType", scope_key as "scopeKey", amount_usd as usd,
       amount_tokens as tokens, amount_requests as requests, amount_concurrency as concurrency,
       period, coalesce(action_on_exceed, 'warn') as mode, strict, visible,
       on_ledger_down as "onLedgerDown", version, time_zone as zone, week_start as "weekStart",
       anchor_day as "anchorDay", alert_threshold as first, alert_thresholds::text[] as more,
       raise_amount as raised, raise_until as until
     from budget_limits where is_active order by id`,
  );
  return rows.map((row) => limitRow(row, log));
}

function limitRow(row: SqlLimit, log: Log): LimitRow {
  const { usd, tokens, requests, concurrency, zone, weekStart, anchorDay, ...rest } = row;
  const { first, more, version, raised, until, ...kept } = rest;
  const unit: Unit =
    usd !== null
      ? 'nano_usd'
      : tokens !== null
        ? 'tokens'
        : requests !== null
          ? 'requests'
          : 'concurrency';
  const whole = (value: number | bigint | null): number => {
    if (typeof value === 'number') return value;
    log.warn({ limit: row.name }, 'a limit is larger than a counter can hold; the most is used');
    return AMOUNT_MAX;
  };
  const amount = whole(
    usd !== null ? (parseUsd(usd) ?? null) : (tokens ?? requests ?? concurrency),
  );
  const thresholds = new Set([first ?? [], ...more].flat().map(Number));
  return {
    ...kept,
    unit,
    amount,
    ...(raised !== null &&
      until && { raise: { amount: whole(raiseOf(unit, raised)), untilMs: until.getTime() } }),
    // The odd version after it is that of a raise that has ended, so that nobody has to write one.
    version: version * 2,
    calendar: { timeZone: zone, weekStart, anchorDay },
    thresholds: [...thresholds].sort((left, right) => left - right),
  };
}

/** Decimal text with nine places, in the unit. */
function raiseOf(unit: Unit, raised: string): number | null {
  if (unit === 'nano_usd') return parseUsd(raised) ?? null;
  const whole = Number(raised.split('.')[0]);
  return Number.isSafeInteger(whole) ? whole : null;
}
