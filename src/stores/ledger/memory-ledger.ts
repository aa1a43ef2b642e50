// The ledger of one process. Each verb is one synchronous function, so nothing can come between
// its reading and its writing; time is the injected clock's. It keeps nothing on disk: at start it
// is rebuilt from the rows (`restore`), and events are in nobody's custody but the caller's.

import { assert } from '../../core/assert.js';
import type { Clock } from '../../core/clock.js';
import type { CallableLedger, LedgerNow } from './ledger.js';
import { adjust, restore, setLimits } from './memory-adjust.js';
import { finalize, reap, release } from './memory-end.js';
import { balances, holds, overdue, sweepCounters } from './memory-read.js';
import { beat, extend } from './memory-renew.js';
import { reserve } from './memory-reserve.js';
import { newState } from './memory-state.js';

export interface MemoryLedgerOptions {
  clock: Clock;
  /** The epoch it begins in, with admission open; 1 unless said. */
  epoch?: number;
}

export function createMemoryLedger({ clock, epoch = 1 }: MemoryLedgerOptions): CallableLedger {
  const state = newState(clock, epoch);
  const now: LedgerNow = {
    reserve(request) {
      sweepCounters(state);
      return reserve(state, request);
    },
    beat: (request) => beat(state, request),
    finalize: (request) => finalize(state, request),
  };
  return {
    kind: 'memory',
    now,
    nowMs: () => clock.nowMs(),
    reserve: async (request) => now.reserve(request),
    extend: async (request) => extend(state, request),
    beat: async (request) => now.beat(request),
    finalize: async (request) => now.finalize(request),
    release: async (id) => release(state, id),
    reap: async (ids) => reap(state, ids),
    adjust: async (request) => adjust(state, request),
    setLimits: async (settings) => setLimits(state, settings),
    restore: async (request) => restore(state, request),
    balances: async (lines) => balances(state, lines),
    holds: async (options) => holds(state, options),
    overdue: async (limit) => overdue(state, limit),
    async closeAdmission() {
      state.isOpen = false;
    },
    async openAdmission(next) {
      assert(next >= state.epoch, `epoch ${next} is past: the ledger is in ${state.epoch}`);
      state.epoch = next;
      state.isOpen = true;
    },
    state: async () => ({
      open: state.isOpen,
      seq: state.seq,
      epoch: state.epoch,
      timeMs: clock.nowMs(),
      held: state.holds.size,
    }),
    async close() {
      state.isOpen = false;
    },
  };
}
