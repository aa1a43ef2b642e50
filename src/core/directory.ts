// Who there is and what limits them, as SQL has it: the rows that a call's path needs, read into
// memory as one snapshot and exchanged whole when `config_version` moves. The hot path only looks
// things up in it.

import type { Unit } from './amount.js';
import type { Mode, ScopeType } from './envelope.js';
import type { JsonObject } from './json.js';
import type { Calendar, Period } from './period.js';

export interface ProjectRow {
  id: string;
  name: string;
  ownerId: string;
  isActive: boolean;
}

export interface AgentRow {
  id: string;
  name: string;
  type: string;
  projectId: string | null;
  /** 1 to 9; null: no tier limits it. */
  tier?: number | null;
  modelConfig: JsonObject;
  isActive: boolean;
}

export type AdminRole = 'owner' | 'finance' | 'operator';

export interface KeyRow {
  id: string;
  publicId: string;
  secretHash: Buffer;
  kind: 'agent' | 'admin';
  role: AdminRole | null;
  agentId: string | null;
  userId: string | null;
  allowedModels: readonly string[] | null;
  expiresAtMs: number | null;
  disabledAtMs: number | null;
  revokedAtMs: number | null;
  /** After rotation the old key still works until then. */
  graceUntilMs: number | null;
  dimensions?: KeyDimensions;
}

/** What a client may say of whom its call is for; tags as a whole. */
export const DIMENSIONS = [
  'conversation',
  'task',
  'person',
  'occasion',
  'issue',
  'pull_request',
  'session',
  'end_user',
  'tags',
] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** What a key decides of the dimensions of its calls. */
export interface KeyDimensions {
  /** Always this value; of tags always these among others. */
  fixed: Readonly<Partial<Record<Dimension, string | Readonly<Record<string, string>>>>>;
  /** A call that does not say them is refused. */
  required: readonly Dimension[];
  /** What else a client says is ignored; null: everything counts. */
  allowed: readonly Dimension[] | null;
}

/** One active row of `budget_limits`. */
export interface LimitRow {
  id: string;
  name: string;
  scopeType: ScopeType;
  /** UUID of the project or agent; null for every other scope. */
  scopeId: string | null;
  scopeAgentType: string | null;
  /** The value of every other scope; `*` is a template: one envelope a value. */
  scopeKey: string | null;
  unit: Unit;
  /** In the unit: nano-USD, tokens, requests or calls at once. */
  amount: number;
  /** Another amount until a moment; from then on `amount` again, under the next version. */
  raise?: { amount: number; untilMs: number };
  period: Period;
  calendar: Calendar;
  mode: Mode;
  strict: boolean;
  visible: boolean;
  onLedgerDown: 'refuse' | 'continue';
  version: number;
  thresholds: readonly number[];
}

/** One row of `budgets`: the token envelope of an agent. */
export interface TokenBudgetRow {
  id: string;
  agentId: string;
  allocatedTokens: number;
  /** From the same sequence as limits. */
  version: number;
}

/** A budget that every agent of a tier has, in calendar UTC. */
export interface DefaultLimit {
  unit: Unit;
  amount: number;
  period: Period;
}

export interface TierRow {
  tier: number;
  level: string;
  /** Public model names and patterns; null: every model. */
  allowedModels: readonly string[] | null;
  limits: readonly DefaultLimit[];
  /** Rises with every change of the tier and of its overrides. */
  version: number;
}

/** What a project has otherwise; null: as the tier has it. */
export interface TierOverrideRow {
  tier: number;
  level: string | null;
  allowedModels: readonly string[] | null;
  limits: readonly DefaultLimit[] | null;
}

/** What one person may spend on one occasion. */
export interface PairRow {
  id: string;
  /** `person:ada&occasion:fair`. */
  scope: string;
  /** Decimal, in the currency; null is counted without a limit. */
  amount: string | null;
  currency: string;
  version: number;
  /** Earliest first. */
  rates: readonly RateRow[];
}

export interface RateRow {
  /** The first moment (UTC) of the day from which it is in force. */
  fromMs: number;
  /** Decimal with nine places. */
  usdPerUnit: string;
}

export interface DirectorySnapshot {
  /** `config_version` when it was read. */
  version: number;
  keysByPublicId: ReadonlyMap<string, KeyRow>;
  projects: ReadonlyMap<string, ProjectRow>;
  agents: ReadonlyMap<string, AgentRow>;
  limits: readonly LimitRow[];
  tokenBudgetsByAgent: ReadonlyMap<string, TokenBudgetRow>;
  tiers?: ReadonlyMap<number, TierRow>;
  /** By `project/tier`; a project that has none goes by the tier itself. */
  tierOverrides?: ReadonlyMap<string, TierOverrideRow>;
  /** By the names of person and occasion that callers may use. */
  pairs?: ReadonlyMap<string, PairRow>;
  /** Why no call is taken at all, if an operator has said so. */
  stopped?: { reason: string };
}
