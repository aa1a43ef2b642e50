// What a call left behind: the durable event from which its rows, totals and mirrors are made.
// It is written to the spool (and, with Redis, to the outbox) before the client's last byte,
// and drained into SQL idempotently by (reservation id, kind).

import type { Amounts } from './amount.js';
import type { BookedLine } from './line.js';
import type { PromptFigures } from './prompt.js';
import type { Usage, UsageSource } from './usage.js';

export type EventKind = 'base' | 'late' | 'adjust' | 'reconciled';

/** Whom a call is for: foreign keys where known, else text. Kept in the stub, so at most 2 KB. */
export interface Attribution {
  userId?: string;
  agentId?: string;
  agentName?: string;
  agentType?: string;
  projectId?: string;
  keyId?: string;
  conversation?: string;
  task?: string;
  person?: string;
  occasion?: string;
  issue?: string;
  pullRequest?: string;
  sessionId?: string;
  endUser?: string;
  tags?: Record<string, string>;
}

/** The part of an event that is known at reserve; reap copies it into the event that it makes. */
export interface Stub {
  attribution: Attribution;
  provider: string;
  model: string;
  priceVersion: string;
  startedAtMs: number;
  stream: boolean;
  requestId: string;
  /** Where the prompt was fitted to a budget. */
  prompt?: PromptFigures;
  /** The person's budget for the occasion that it is for, at the rate of that moment. */
  pair?: PairCharge;
}

export interface PairCharge {
  /** Id of the row of `person_occasions`. */
  id: string;
  currency: string;
  usdPerUnit: string;
  /** In the currency, decimal: what was spent, where that is known and not the USD. */
  amount?: string;
}

export type Outcome =
  | 'completed'
  | 'cut_by_budget'
  | 'client_left'
  | 'upstream_died'
  | 'upstream_timeout'
  | 'reaped'
  | 'adjusted';

/** The part that only the end knows. */
export interface Reading {
  /** The target that answered; the stub has the first of the plan. */
  provider: string;
  model: string;
  priceVersion: string;
  usage: Usage;
  usageSource: UsageSource;
  costNanoUsd: number;
  outcome: Outcome;
  finishReason: string | null;
  endedAtMs: number;
  /** From the request's arrival to the first byte of the answer. */
  firstByteMs: number | null;
  /** From dispatch to the last byte of the upstream. */
  modelMs: number | null;
  attempts: number;
  estimatedInputTokens: number;
  estimatedOutputTokens: number;
  heldNanoUsd: number;
  /** What fitting the prompt to its budget kept from being sent; absent where it did not. */
  saved?: { tokens: number; nanoUsd: number };
  anomalies: readonly string[];
  /** The tier of service that the answer reported, at whose rates it is booked. */
  serviceTier?: string;
  /** The answer as its provider keeps it, where it does. */
  kept?: { id: string; as: KeptAs };
  /** In a correction: the usage that was booked before, which `usage` replaces. */
  corrects?: Usage;
}

/** How a provider keeps an answer under its id, and so can be asked for it. */
export type KeptAs = 'response' | 'completion' | 'generation';

export interface UsageEvent {
  /** The reservation's id, a UUIDv7 in ledger time: the row's `usage_date` is the day inside it. */
  id: string;
  kind: EventKind;
  lines: BookedLine[];
  stub: Stub;
  /** Absent where nobody saw the end (a reaped call): the row is then marked estimated. */
  reading?: Reading;
  /** Ledger sequence number and epoch of the verb that booked it. */
  seq: number;
  epoch: number;
  atMs: number;
  /** The ledger could not be reached at the end: whoever replays the spool books it there. */
  unbooked?: true;
  /** With a late event: what the call came to as a whole, its lines being what came on top. */
  actual?: Amounts;
  /** Why, for an adjust. */
  reason?: string;
}
