// What the path of a call is given by compose: stores and drivers by their interfaces, rules that
// need other rules as functions, and its own options. Nothing here is looked up elsewhere.

import type { Amounts } from '../../core/amount.js';
import type { Call, Caller, Operation, Plan, Target } from '../../core/call.js';
import type { Clock } from '../../core/clock.js';
import type { Dialect } from '../../core/dialect.js';
import type { Balance, Envelope } from '../../core/envelope.js';
import type { ErrorCode, Refused } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Upstream } from '../../core/upstream.js';
import type { Outcome } from '../../core/usage-event.js';
import type { TextBytes } from '../../rules/tokens/calibrate.js';
import type { Calibration } from '../../stores/calibration.js';
import type { CallableLedger, OpenHold, Shortage } from '../../stores/ledger/ledger.js';
import type { OutputSizes } from '../../stores/output-sizes.js';
import type { PromptSnapshots } from '../../stores/prompt/snapshots.js';
import type { ResponseIds } from '../../stores/response-ids.js';
import type { Spool } from '../../stores/spool.js';
import type { FitDeps } from './fit.js';
import type { Marks } from './marks.js';

export interface PromptDeps {
  fit: FitDeps;
  snapshots: Pick<PromptSnapshots, 'keep'>;
}

export interface CallOptions {
  /** Who beats for the holds of this process. */
  owner: string;
  leaseMs: number;
  /** Used where neither client, agent nor catalog bounds the output. */
  outputTokensMaxDefault: number;
  connectTimeoutMs: number;
  firstByteTimeoutMs: number;
  /** First byte of an answer in one piece, which comes only when all of it is made. */
  answerTimeoutMs: number;
  idleTimeoutMs: number;
  /** How long a reader may take nothing before it counts as gone. */
  writeStallMs: number;
  /** How long a non-streaming answer is read on for its usage after the client left. */
  readOnMs: number;
  /** Refuses nothing for want of room, and tells in a header what would have been refused. */
  dry: boolean;
  /** Whether a shorter answer that still fits is asked for where a call does not fit. */
  shrinks: boolean;
  /** Whether LiteLLM's headers are sent beside ours. */
  litellmHeaders: boolean;
  /** Non-streaming answers up to this size are held until their cost is known. */
  answerBytesMax: number;
}

/** Tokens of a prompt; exact where a public tokenizer of the model counted them. */
export interface InputCount {
  tokens: number;
  exact: boolean;
  /** Where no public tokenizer counts them: what the tokens bound. */
  text?: TextBytes;
}

/** One live call as the beat sees it. */
export interface LiveCall {
  readonly id: string;
  readonly keyId: string;
  seen(): Amounts;
  /** Its hold as it is now, to be put back into a ledger that was lost. */
  hold(): OpenHold;
  /** Ends the call from outside: its hold is gone, its key was revoked, it takes too long. */
  abort(code: ErrorCode, reason: string): void;
}

/** Of a call among those under way. */
export interface Presence {
  /** Takes the call out; again: does nothing. */
  leave(): void;
}

/** What is told of a call once it is over: a log line and a few counters. */
export interface CallSummary {
  requestId: string;
  operation: Operation;
  outcome: Outcome | 'refused' | 'failed' | 'passed';
  status: number;
  code: string | undefined;
  agent: string | undefined;
  model: string;
  provider: string | undefined;
  stream: boolean;
  attempts: number;
  inputTokens: number;
  outputTokens: number;
  costNanoUsd: number | null;
  heldNanoUsd: number;
  overheadMs: number;
  firstByteMs: number | null;
  durationMs: number;
}

/** As much of the ledger as a call needs. */
export type CallLedger = Pick<
  CallableLedger,
  'now' | 'nowMs' | 'reserve' | 'extend' | 'finalize' | 'release' | 'balances'
>;

export interface CallDeps {
  clock: Clock;
  log: Log;
  ledger: CallLedger;
  spool: Spool;
  marks: Marks;
  upstream: Upstream;
  dialects: Readonly<Partial<Record<Operation, Dialect>>>;
  /** Refuses every new call while the process drains or is overloaded. */
  refuseNew(): Refused | undefined;
  authenticate(call: Call): Caller | Refused;
  plan(publicModel: string): Plan | Refused;
  /** The caller's envelopes and those of this target; the caller's own where it brings none. */
  targetEnvelopes(caller: Caller, target: Target, publicModel: string): readonly Envelope[];
  countInput(
    call: Pick<Call, 'operation' | 'body'>,
    target: Target,
  ): InputCount | Promise<InputCount>;
  countText(text: string, target: Target): number | Promise<number>;
  /** Words and code of a refusal by the ledger. */
  explain(shortages: readonly Shortage[], envelopes: readonly Envelope[], nowMs: number): Refused;
  /** `x-purser-budget-*`, `x-purser-budgets` and `x-ratelimit-*`, as lines of a head. */
  budgetLines(envelopes: readonly Envelope[], balances: readonly Balance[], nowMs: number): string;
  prompts: PromptDeps;
  health: { succeeded(targetId: string): void; failed(targetId: string): void };
  /** Targets that answered 400 to `stream_options`; remembered for as long as the process lives. */
  usageNotAsked: Set<string>;
  /** A call that holds nothing has no lease to renew. */
  live: { open(call: LiveCall, held?: 'held' | 'unheld'): Presence };
  /** Ends the process here if a test asked for it; does nothing in production. */
  failpoint(name: string): void;
  /** How many tokens a byte makes where no public tokenizer says it. */
  calibration: Pick<Calibration, 'note' | 'factor'>;
  /** Whose response is whose, as soon as it is booked. */
  responseIds: Pick<ResponseIds, 'note'>;
  /** How long answers usually are: sizes the first tranche. */
  outputSizes: OutputSizes;
  told(summary: CallSummary): void;
  options: CallOptions;
}
