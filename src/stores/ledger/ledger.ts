// The ledger: holds money before a call, books it after, and gives back what was not used.
// Two homes serve this one interface, the memory ledger (one process) and Redis (Lua, any number
// of gateways); both pass one contract. What is deliberately not in it: keys, scripts, sockets.
//
// States of a reservation: held -> finalized | released | reaped. Endings absorb. At most one
// `late` record may follow a reaped or released reservation. Refusals are answers; a ledger that
// cannot answer rejects with LedgerUnavailable.

import type { Amounts, Unit } from '../../core/amount.js';
import type { Balance, Mode } from '../../core/envelope.js';
import type { ReserveLine } from '../../core/line.js';
import type { UsageEvent } from '../../core/usage-event.js';

/** Every reply says when it was made and what the touched envelopes look like now. */
export interface Reply<A extends string> {
  answer: A;
  balances: Balance[];
  /** Rises by one with every mutation; the value after this one (or as it stands, if none). */
  seq: number;
  epoch: number;
  /** Ledger time: labels, leases and ids use it, never the gateway's own clock. */
  timeMs: number;
}

/** Answers that any verb may give. */
export type AnyVerb = 'INVALID_INPUT' | 'LEDGER_LOST' | 'STALE_EPOCH';

/** The ending of a reservation that is gone; `unknown`: never seen, or its tombstone expired. */
export type Ending = 'finalized' | 'released' | 'reaped' | 'unknown';

export interface ReserveRequest {
  id: string;
  /** The gateway process that beats for it. */
  owner: string;
  /** In canonical order (by envelope, then label), no duplicates, at most 16. */
  lines: readonly ReserveLine[];
  leaseMs: number;
  /** JSON of a `Stub`, at most 2 KB. */
  stub: string;
}

/** Why a reserve said no: the line that had no room. */
export interface Shortage {
  envelope: string;
  label: string;
  unit: Unit;
  needed: number;
  limit: number;
  committed: number;
  reserved: number;
}

export interface ReserveReply
  extends Reply<
    'RESERVED' | 'ALREADY_RESERVED' | 'CONFLICT' | 'BUDGET_EXCEEDED' | 'VOIDED' | AnyVerb
  > {
  /** With BUDGET_EXCEEDED: every line that had no room, in the order of the request. */
  shortages?: Shortage[];
}

export interface ExtendRequest {
  id: string;
  /** How much more to hold, by unit; zero to renew only. */
  more: Amounts;
  leaseMs: number;
}

export interface ExtendReply extends Reply<'EXTENDED' | 'DENIED' | 'GONE' | AnyVerb> {
  /** With GONE. */
  ending?: Ending;
  shortages?: Shortage[];
}

export interface BeatRequest {
  owner: string;
  leaseMs: number;
  /** At most 64. */
  beats: readonly OneBeat[];
}

export interface OneBeat {
  id: string;
  /** The spend metered so far; never lowers what the ledger has. */
  seen: Amounts;
  /**
   * Tells that the request is on the upstream's socket; `floor` is what its prompt costs, and never
   * lowers what the ledger has.
   */
  sent?: { floor: Amounts };
}

export interface BeatReply extends Reply<'BEATEN' | AnyVerb> {
  gone: { id: string; ending: Ending }[];
}

export interface FinalizeRequest {
  id: string;
  /** What is booked, by unit; concurrency is 0. Any amount, also above the hold. */
  actual: Amounts;
  /** The event without lines, seq, epoch and time, which the ledger adds. */
  event: Omit<UsageEvent, 'lines' | 'seq' | 'epoch' | 'atMs' | 'kind'>;
  /** JSON of the event's stub, of an event that is only id, stub and reading. */
  stub?: string;
}

export interface FinalizeReply
  extends Reply<
    'FINALIZED' | 'ALREADY_FINALIZED' | 'LATE_FINALIZE' | 'UNKNOWN' | 'CORRUPT' | AnyVerb
  > {
  /** What was booked now: the event to write down, complete. Absent if nothing was booked. */
  event?: UsageEvent;
  /** Who else keeps the event until it is in SQL. */
  custodian: 'outbox' | 'none';
}

export interface ReleaseReply
  extends Reply<
    | 'RELEASED'
    | 'ALREADY_RELEASED'
    | 'ALREADY_FINALIZED'
    | 'ALREADY_REAPED'
    | 'VOIDED_AHEAD'
    | AnyVerb
  > {}

export interface ReapReply extends Reply<'SWEPT' | AnyVerb> {
  results: {
    id: string;
    answer: 'REAPED' | 'NOT_DUE' | 'GONE';
    /** With REAPED of a sent reservation: what was booked. Phase held books nothing. */
    event?: UsageEvent;
    /** With REAPED: what came back to the envelopes' room, by unit. */
    reclaimed?: Amounts;
  }[];
}

export interface AdjustRequest {
  /** Its own id, a UUIDv7; the same id again is EXISTS. */
  id: string;
  /** Signed amounts a line; committed never falls below 0. */
  lines: readonly { envelope: string; label: string; unit: Unit; amount: number }[];
  event: Omit<UsageEvent, 'lines' | 'seq' | 'epoch' | 'atMs'>;
}

export interface AdjustReply extends Reply<'ADJUSTED' | 'EXISTS' | AnyVerb> {
  event?: UsageEvent;
}

export interface LimitSetting {
  envelope: string;
  limit: number | null;
  mode: Mode;
  version: number;
}

/** Counters of one label, or one hold, put back while admission is closed. */
export type RestoreRequest =
  | {
      what: 'counters';
      envelope: string;
      label: string;
      unit: Unit;
      committed: number;
      overrun: number;
      adjusted: number;
    }
  | { what: 'hold'; hold: OpenHold };

/** A reservation that has not ended, as lists and restores know it. */
export interface OpenHold {
  id: string;
  owner: string;
  phase: 'held' | 'sent';
  lines: readonly ReserveLine[];
  /** What the prompt costs once sent, and the spend seen since; what a reap would charge. */
  floor: Amounts;
  seen: Amounts;
  leaseEndsAtMs: number;
  stub: string;
}

export interface Ledger {
  readonly kind: 'memory' | 'redis';
  /** Ledger time by the offset of the last reply; ids, labels and leases are made from it. */
  nowMs(): number;
  reserve(request: ReserveRequest): Promise<ReserveReply>;
  extend(request: ExtendRequest): Promise<ExtendReply>;
  beat(request: BeatRequest): Promise<BeatReply>;
  finalize(request: FinalizeRequest): Promise<FinalizeReply>;
  release(id: string): Promise<ReleaseReply>;
  /** Ends the overdue among these at what they have seen; at most 64. */
  reap(ids: readonly string[]): Promise<ReapReply>;
  adjust(request: AdjustRequest): Promise<AdjustReply>;
  setLimits(
    settings: readonly LimitSetting[],
  ): Promise<Reply<AnyVerb | 'SET'> & { stale: string[] }>;
  restore(request: RestoreRequest): Promise<Reply<'RESTORED' | 'EXISTS' | AnyVerb>>;

  /** Balances of these counters; a counter never touched answers zeros with the limit asked. */
  balances(lines: readonly { envelope: string; label: string; unit: Unit }[]): Promise<Balance[]>;
  /** Open reservations, oldest lease first, from an offset. */
  holds(options: { offset: number; limit: number }): Promise<{ holds: OpenHold[]; total: number }>;
  /** Ids whose lease has ended by now, from a random offset where there are more than asked. */
  overdue(limit: number): Promise<string[]>;
  /**
   * Closes admission or opens it in a new epoch. While it is closed the ledger is being rebuilt:
   * what would hold, renew or book answers LEDGER_LOST, so that nothing is counted twice or judged
   * by what is not yet back. Only restore, release and setLimits act.
   */
  closeAdmission(): Promise<void>;
  openAdmission(epoch: number): Promise<void>;
  state(): Promise<{ open: boolean; seq: number; epoch: number; timeMs: number; held: number }>;
  close(): Promise<void>;
}

/** The verbs of every call, answered at once: whoever asks need not wait for a later tick. */
export interface LedgerNow {
  reserve(request: ReserveRequest): ReserveReply;
  beat(request: BeatRequest): BeatReply;
  finalize(request: FinalizeRequest): FinalizeReply;
}

/** `now` where the ledger is of this process. */
export type CallableLedger = Ledger & { readonly now?: LedgerNow };

/** The ledger could not answer: it says nothing of whether the verb took effect. */
export class LedgerUnavailable extends Error {
  override name = 'LedgerUnavailable';
}
