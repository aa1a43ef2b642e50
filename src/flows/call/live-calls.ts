// The calls under way in this process: the beat renews their holds, and some ends reach them from
// outside: a hold that is gone, a key that was revoked, a process that stops.

import type { Amounts } from '../../core/amount.js';
import type { DirectorySnapshot } from '../../core/directory.js';
import type { OpenHold } from '../../stores/ledger/ledger.js';
import type { LiveCall } from './deps.js';

/** As much of the beat as is needed here. */
export interface Beats {
  add(call: { id: string; seen(): Amounts; abort(ending: string): void }): void;
  remove(id: string): void;
}

export interface LiveCalls {
  /** Answers how to take the call out again. */
  open(call: LiveCall, held?: 'held' | 'unheld'): () => void;
  /** Also those that open after it. */
  endAll(reason: string): void;
  /** The holds of all calls under way. */
  holds(): OpenHold[];
  /** Ends the calls of every key that may no longer be used. */
  endRevoked(snapshot: DirectorySnapshot): void;
}

export function createLiveCalls(beats: Beats): LiveCalls {
  const calls = new Map<string, LiveCall>();
  const holding = new Set<LiveCall>();
  let over: string | undefined;
  return {
    open(call, held = 'held') {
      const { id } = call;
      if (over !== undefined) call.abort('draining', over);
      calls.set(id, call);
      if (held === 'unheld') return () => calls.delete(id);
      holding.add(call);
      beats.add({
        id,
        seen: () => call.seen(),
        abort: (ending) => call.abort('ledger_unavailable', `its hold was ${ending}`),
      });
      return () => {
        calls.delete(id);
        holding.delete(call);
        beats.remove(id);
      };
    },
    endAll(reason) {
      over = reason;
      for (const call of calls.values()) call.abort('draining', reason);
    },
    holds: () => [...holding].map((call) => call.hold()),
    endRevoked(snapshot) {
      if (calls.size === 0) return;
      const good = new Set<string>();
      for (const key of snapshot.keysByPublicId.values()) {
        if (key.revokedAtMs === null && key.disabledAtMs === null) good.add(key.id);
      }
      for (const call of calls.values()) {
        if (!good.has(call.keyId)) call.abort('key_revoked', 'its key was revoked');
      }
    },
  };
}
