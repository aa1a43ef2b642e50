// The calls under way in this process: the beat renews their holds, and some ends reach them from
// outside: a hold that is gone, a key that was revoked, a process that stops.

import type { Amounts } from '../../core/amount.js';
import type { DirectorySnapshot } from '../../core/directory.js';
import { Roster } from '../../core/roster.js';
import type { OpenHold } from '../../stores/ledger/ledger.js';
import type { LiveCall } from './deps.js';

/** As much of the beat as is needed here. */
export interface Beats {
  /** Answers how to take it out again. */
  add(call: { id: string; seen(): Amounts; abort(ending: string): void }): () => void;
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
  const calls = new Roster<LiveCall>();
  const holding = new Roster<LiveCall>();
  let over: string | undefined;
  return {
    open(call, held = 'held') {
      if (over !== undefined) call.abort('draining', over);
      const seat = calls.add(call);
      if (held === 'unheld') return () => calls.remove(seat);
      const holdingSeat = holding.add(call);
      const endBeats = beats.add({
        id: call.id,
        seen: () => call.seen(),
        abort: (ending) => call.abort('ledger_unavailable', `its hold was ${ending}`),
      });
      return () => {
        calls.remove(seat);
        holding.remove(holdingSeat);
        endBeats();
      };
    },
    endAll(reason) {
      over = reason;
      for (const call of calls.all()) call.abort('draining', reason);
    },
    holds: () => holding.all().map((call) => call.hold()),
    endRevoked(snapshot) {
      if (calls.size === 0) return;
      const good = new Set<string>();
      for (const key of snapshot.keysByPublicId.values()) {
        if (key.revokedAtMs === null && key.disabledAtMs === null) good.add(key.id);
      }
      for (const call of calls.all()) {
        if (!good.has(call.keyId)) call.abort('key_revoked', 'its key was revoked');
      }
    },
  };
}
