// One request of a client to a model, and what each step of its path makes of it:
// Call -> Caller -> Plan -> Estimate -> Reserved -> Exchange -> Reading -> UsageEvent.

import type { Amounts } from './amount.js';
import type { Balance, Envelope } from './envelope.js';
import type { JsonObject } from './json.js';
import type { ReserveLine } from './line.js';
import type { Price } from './price.js';
import type { FittedPrompt } from './prompt.js';
import type { Sink } from './sink.js';
import type { Attribution } from './usage-event.js';

/** The wire formats' operations. */
export type Operation =
  | 'chat'
  | 'completions'
  | 'embeddings'
  | 'responses'
  | 'messages'
  /** Of messages; nobody bills it. */
  | 'count_tokens';

/** Offsets of one top-level member in the raw body: from its key's quote to its value's end. */
export interface MemberSpan {
  keyStart: number;
  valueStart: number;
  valueEnd: number;
}

/** Tools that the provider runs and bills itself, inside one call. */
export interface HostedTools {
  /** How often they may run at most; null where the client set no bound. */
  callsMax: number | null;
  /** How many of these runs may be billed as web searches. */
  webSearchesMax: number | null;
}

/** A request body as its dialect read it, once. The raw bytes are spliced, never re-serialised. */
export interface CallBody {
  raw: Buffer;
  members: ReadonlyMap<string, MemberSpan>;
  json: JsonObject;
  /** The public model name that the client asked for. */
  model: string;
  stream: boolean;
  /** Whether the client itself asked for usage in the stream. */
  wantsUsage: boolean;
  /** How many answers are asked for (`n`). */
  choices: number;
  /** The client's own bound on output tokens, in the member it used. */
  outputBound?: { member: string; tokens: number };
  /** Body `user`: the end user whom the client names. */
  endUser?: string;
  /** The client asks for output that is billed and not streamed as it is made: reasoning. */
  hiddenOutput?: true;
  /** Parts of the prompt may be written to a cache, which costs more than reading them. */
  cacheWrites?: true;
  hostedTools?: HostedTools;
}

export interface Call {
  operation: Operation;
  requestId: string;
  /** Monotonic, from the clock's `elapsedMs`. */
  arrivedMs: number;
  credential: string;
  /** Whom the door has found it to belong to, before it read the body. */
  known?: Caller;
  /** What the client says of whom the call is for; checked against the key at authenticate. */
  claims: Attribution;
  /** `x-purser-max-cost-usd`. */
  maxCostNanoUsd?: number;
  idempotencyKey?: string;
  /** Client headers that may travel on: `anthropic-*`, `openai-*`, traceparent, accept. */
  passHeaders: Readonly<Record<string, string>>;
  body: CallBody;
  /** Where the prompt was fitted to a budget: the body is what came of it. */
  prompt?: FittedPrompt;
  sink: Sink;
}

/** Whose key it is, and everything that the key decides. */
export interface Caller {
  keyId: string;
  attribution: Attribution;
  /** Null: every model. Patterns may end in `*`. */
  allowedModels: readonly string[] | null;
  /** What the agent's tier allows beside the key; absent: everything. */
  tier?: { tier: number; level: string; allowedModels: readonly string[] | null };
  /** The agent's defaults: model, temperature, max_tokens. */
  modelConfig: JsonObject;
  /** Every budget that a call of this caller touches. */
  envelopes: readonly Envelope[];
}

/** What differs between providers of one dialect. Data only. */
export interface ProviderQuirks {
  /** The member in which an output bound is sent where the client used none. */
  outputBoundMember: string;
  /** Whether `stream_options.include_usage` is asked of it. */
  asksUsage: boolean;
  /** Reasoning tokens are not inside `completion_tokens`. */
  reasoningOutsideOutput: boolean;
  /** What it can be asked for later, beside responses: stored completions, any generation. */
  keeps?: 'completions' | 'generations';
}

export interface Provider {
  name: string;
  dialect: 'openai' | 'anthropic';
  /** Without a trailing slash. */
  baseUrl: string;
  allowPrivate: boolean;
  /** Our credential, and what the configuration adds. */
  headers: Readonly<Record<string, string>>;
  quirks: ProviderQuirks;
}

/** One place a call may go to. `id` is `provider/model`. */
export interface Target {
  id: string;
  provider: Provider;
  /** The provider's own name of the model. */
  model: string;
  price: Price | undefined;
}

/** Targets in order, healthy first; the next is tried before the first byte only. */
export interface Plan {
  publicModel: string;
  targets: readonly Target[];
}

export interface Estimate {
  /** Bound on the prompt; exact where a public tokenizer counts it. */
  inputTokens: number;
  inputExact: boolean;
  /** By target: bytes of text, where no public tokenizer counts them, and tokens beside them. */
  inputText?: ReadonlyMap<string, { bytes: number; fixedTokens: number }>;
  /** The output bound that is sent upstream, for each of `choices`. */
  outputTokensMax: number;
  /** Output that the hold covers: the whole bound, or a first tranche where a stream can be cut. */
  outputTokensHeld: number;
  /** Whether the bound must be written into the request. */
  boundSent: { member: string; tokens: number } | null;
  /** What is held, for the dearest target. */
  hold: Amounts;
  /** What the prompt alone costs: charged at the least once sent. */
  floor: Amounts;
}

/** A granted reservation. */
export interface Reserved {
  id: string;
  lines: readonly ReserveLine[];
  held: Amounts;
  balances: readonly Balance[];
  envelopes: readonly Envelope[];
  timeMs: number;
}
