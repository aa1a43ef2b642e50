// The outbox as something to drain: one gateway at a time reads it, under a lease, in the order in
// which the ledger booked. What it acknowledges is in SQL; what is read twice is inserted once.

import type { Clock } from '../../core/clock.js';
import type { Lease, Leases } from '../../stores/ledger/leases.js';
import type { Outbox } from '../../stores/ledger/outbox.js';
import type { DrainBatch, DrainSource } from '../../stores/spool.js';

export interface OutboxSourceOptions {
  outbox: Outbox;
  leases: Leases;
  clock: Clock;
  /** How soon an empty outbox is looked at again. */
  pollMs: number;
  leaseMs: number;
  /** The last epoch whose totals were read for a rebuild. */
  sealedEpoch: () => Promise<number>;
  /** What could not be done now and is done later, or by another. */
  onTrouble: (error: unknown) => void;
}

const WORKER = 'drain';

export function createOutboxSource(options: OutboxSourceOptions): DrainSource & {
  close(): Promise<void>;
} {
  const { outbox, leases, clock, pollMs, leaseMs } = options;
  const places = new WeakMap<DrainBatch, string[]>();
  let lease: Lease | undefined;
  let pending = 0;
  let wake = () => {};

  const nothing = (): DrainBatch => {
    pending = 0;
    clock.after(pollMs, () => wake());
    return { events: [] };
  };
  const isOurs = async (): Promise<boolean> => {
    if (lease && !(await leases.renew(lease, leaseMs))) lease = undefined;
    lease ??= await leases.take(WORKER, leaseMs);
    return lease !== undefined;
  };
  return {
    async next(eventsMax) {
      if (!(await isOurs())) return nothing();
      // First: an outbox that is lost after it was read must not be recorded beside a rebuild.
      const sealedEpoch = await options.sealedEpoch();
      const entries = await outbox.read(eventsMax);
      if (entries.length === 0) return nothing();
      pending = entries.length;
      const batch = { events: entries.map(({ event }) => event), sealedEpoch };
      places.set(
        batch,
        entries.map(({ place }) => place),
      );
      return batch;
    },
    drained(batch) {
      pending = 0;
      // What could not be acknowledged is read once more, and found in SQL.
      outbox.acknowledge(places.get(batch) ?? []).catch(options.onTrouble);
    },
    onEvent(callback) {
      wake = callback;
    },
    state: () => ({ pendingEvents: pending, pendingBytes: 0, full: false }),
    async close() {
      // One that cannot be given up ends by itself.
      if (lease) await leases.release(lease).catch(options.onTrouble);
      lease = undefined;
    },
  };
}
