// An envelope: a budget of one scope, unit and period. Whatever its source (a limit, an agent's
// token budget, a person's occasion), the ledger knows only this.

import type { Unit } from './amount.js';
import type { Calendar, Period } from './period.js';

export type Mode = 'block' | 'warn';

/** Scopes whose value is free text: the client or the organisation names it. */
export const FREE_SCOPES = [
  'user',
  'key',
  'conversation',
  'task',
  'person',
  'occasion',
  'end_user',
  'model',
  'provider',
  'tag',
  'issue',
  'pull_request',
] as const;

export type ScopeType =
  | 'global'
  | 'project'
  | 'agent'
  | 'agent_type'
  | (typeof FREE_SCOPES)[number];

export interface Envelope {
  /** `limit:<uuid>`, `limit:<uuid>:<value>`, `tokens:<agent uuid>`, `pair:<uuid>`; never reused. */
  id: string;
  /** What people read: `global`, `agent:coder-7`. */
  scope: string;
  unit: Unit;
  period: Period;
  calendar: Calendar;
  /** Null is counted without a limit. */
  limit: number | null;
  mode: Mode;
  strict: boolean;
  visible: boolean;
  onLedgerDown: 'refuse' | 'continue';
  /** Rises with every change of limit or mode; the ledger keeps the highest it has seen. */
  version: number;
  /** Shares of the limit at which someone is told, ascending, in 0..1. */
  thresholds: readonly number[];
  /** What limit and version will be from a moment on that is known already; earliest first. */
  later?: readonly LaterSetting[];
  /** A budget in another currency: at which rate a call's amount is counted, earliest first. */
  currency?: { code: string; rates: readonly { fromMs: number; usdPerUnit: string }[] };
}

export interface LaterSetting {
  fromMs: number;
  limit: number | null;
  version: number;
}

/** Limit and version as they are at a moment: a raise that is over, a rate that has begun. */
export function settingAt(
  envelope: Envelope,
  atMs: number,
): { limit: number | null; version: number } {
  let setting: { limit: number | null; version: number } = envelope;
  if (!envelope.later) return setting;
  for (const later of envelope.later) if (later.fromMs <= atMs) setting = later;
  return setting;
}

/** One envelope under one label as the ledger has it now. `available` is computed, never stored. */
export interface Balance {
  envelope: string;
  label: string;
  unit: Unit;
  limit: number | null;
  mode: Mode;
  committed: number;
  reserved: number;
  overrun: number;
}

/** What may still be reserved; null where nothing limits it. Never below 0. */
export function available(balance: Balance): number | null {
  if (balance.limit === null) return null;
  return Math.max(0, balance.limit - balance.committed - balance.reserved);
}
