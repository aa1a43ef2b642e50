// The spool is the write-ahead log of calls: `sent` (lines and stub, before the client's first
// byte), `seen` (spend, once a beat), `ended` (the complete event, before its last byte) and
// `drained`. `sent` and `seen` are written and survive kill -9; `ended` is fsynced in groups.

import type { Amounts } from '../core/amount.js';
import type { ReserveLine } from '../core/line.js';
import type { UsageEvent } from '../core/usage-event.js';

export interface SentRecord {
  id: string;
  lines: readonly ReserveLine[];
  /** JSON of a `Stub`. */
  stub: string;
  /** What the prompt costs. */
  floor: Amounts;
}

export interface Spool {
  /** Resolves when the record is written (not fsynced). Rejects with `usage_log_unavailable`. */
  sent(record: SentRecord): Promise<void>;
  /** Fire and forget; written with the next group. */
  seen(spends: readonly { id: string; seen: Amounts }[]): void;
  /**
   * Resolves when the event is durable: fsynced, or only written if another custodian has it.
   * `stub`: JSON of the event's, where it is at hand.
   */
  ended(event: UsageEvent, durability: 'fsync' | 'written', stub?: string): Promise<void>;
  /** A reservation that ended without an event (released after sent): its `sent` is void. */
  released(id: string): void;
  /** Bytes that wait for the drain, and whether new calls must be refused. */
  state(): { pendingEvents: number; pendingBytes: number; full: boolean };
  close(): Promise<void>;
}

/** A `sent` without an ending: its call was cut off with the gateway that made it. */
export interface Orphan {
  record: SentRecord;
  seen: Amounts;
}

/** Events in the order of the log, to be handed back to `drained` as it is. */
export interface DrainBatch {
  events: readonly UsageEvent[];
  /** What was sealed before they were read, where a rebuild may overtake them. */
  sealedEpoch?: number;
}

/** What a drain knows of a spool. Several may work on one: each lets go of what it was handed. */
export interface DrainSource {
  /** The oldest events that are not drained, the same ones until `drained`; none: wait. */
  next(eventsMax: number): Promise<DrainBatch>;
  /**
   * These are durable elsewhere: whoever waits for one of them is answered. The batch, or the first
   * of its events; what another has let go of meanwhile is passed over.
   */
  drained(batch: DrainBatch): void;
  /** Called whenever there may be something to drain. */
  onEvent(wake: () => void): void;
  state(): { pendingEvents: number; pendingBytes: number; full: boolean };
}

/** What the gateway before this one left, known once the spool is open. */
export interface Recovery {
  orphans: readonly Orphan[];
  /** Ended events that the drain gets again; some of them may be in SQL already. */
  replayedEvents: number;
}
