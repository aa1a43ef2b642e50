// What a tier gives to an agent: the models that it may use and the budgets that it has without
// anybody's making one. A project may have a tier otherwise. The number is checked before anything
// is looked up by it, so that no override can stand for a tier that does not exist.

import type {
  AgentRow,
  DefaultLimit,
  DirectorySnapshot,
  TierOverrideRow,
} from '../../core/directory.js';
import type { Envelope } from '../../core/envelope.js';
import { UTC_CALENDAR } from '../../core/period.js';

export interface TierAccess {
  tier: number;
  level: string;
  /** Null: every model. */
  allowedModels: readonly string[] | null;
  limits: readonly DefaultLimit[];
  version: number;
}

type Rows = Pick<DirectorySnapshot, 'tiers' | 'tierOverrides'>;

/** Undefined where no tier limits the agent. */
export function tierAccess(agent: AgentRow, rows: Rows): TierAccess | undefined {
  const { tier, projectId } = agent;
  if (tier === null || tier === undefined || !isTier(tier)) return undefined;
  const row = rows.tiers?.get(tier);
  if (!row) return undefined;
  const override: TierOverrideRow | undefined =
    projectId === null ? undefined : rows.tierOverrides?.get(overrideKey(projectId, tier));
  return {
    tier,
    level: override?.level ?? row.level,
    allowedModels: override?.allowedModels ?? row.allowedModels,
    limits: override?.limits ?? row.limits,
    version: row.version,
  };
}

export function overrideKey(projectId: string, tier: number): string {
  return `${projectId}/${tier}`;
}

export function isTier(tier: number): boolean {
  return Number.isInteger(tier) && tier >= 1 && tier <= 9;
}

/** The budgets that the tier gives this agent: each agent has its own. */
export function tierEnvelopes(agent: AgentRow, access: TierAccess): Envelope[] {
  const { tier, version } = access;
  return access.limits.map(({ unit, amount, period }) => ({
    id: `tier:${tier}/${unit}/${period}:${agent.id}`,
    scope: `tier ${tier}:${agent.name}`,
    unit,
    period,
    calendar: UTC_CALENDAR,
    limit: amount,
    mode: 'block',
    strict: false,
    visible: true,
    onLedgerDown: 'refuse',
    version,
    thresholds: [0.8],
  }));
}
