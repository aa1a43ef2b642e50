// The calls under way in this process: the beat renews their holds, and some ends reach them from
// outside: a hold that is gone, a key that was revoked, a call that takes too long, a process that
// stops. One object and one seat a call: there are thousands, and each lives through its call.

import type { Amounts } from '../../core/amount.js';
import type { Clock } from '../../core/clock.js';
import type { DirectorySnapshot } from '../../core/directory.js';
import { Roster, type Seat } from '../../core/roster.js';
import type { OpenHold } from '../../stores/ledger/ledger.js';
import type { LiveCall, Presence } from './deps.js';

/** As much of the beat as is needed here. */
export interface Beats {
  add(call: { readonly id: string; seen(): Amounts; abort(ending: string): void }): Presence;
}

export interface LiveCalls {
  open(call: LiveCall, held?: 'held' | 'unheld'): Presence;
  /** Also those that open after it. */
  endAll(reason: string): void;
  /** The holds of all calls under way. */
  holds(): OpenHold[];
  /** Ends the calls of every key that may no longer be used. */
  endRevoked(snapshot: DirectorySnapshot): void;
  /** Ends the calls that have taken longer than a call may take. */
  endOverdue(): void;
}

export interface LiveCallsOptions {
  beats: Beats;
  clock: Clock;
  callMsMax: number;
}

export function createLiveCalls({ beats, clock, callMsMax }: LiveCallsOptions): LiveCalls {
  const calls = new Roster<UnderWay>();
  let over: string | undefined;
  return {
    open(call, held = 'held') {
      if (over !== undefined) call.abort('draining', over);
      const underWay = new UnderWay(call, calls, clock.elapsedMs());
      if (held === 'held') underWay.beat = beats.add(underWay);
      return underWay;
    },
    endAll(reason) {
      over = reason;
      for (const { call } of calls.all()) call.abort('draining', reason);
    },
    holds: () => calls.all().flatMap(({ call, beat }) => (beat ? [call.hold()] : [])),
    endRevoked(snapshot) {
      if (calls.size === 0) return;
      const good = new Set<string>();
      for (const key of snapshot.keysByPublicId.values()) {
        if (key.revokedAtMs === null && key.disabledAtMs === null) good.add(key.id);
      }
      for (const { call } of calls.all()) {
        if (!good.has(call.keyId)) call.abort('key_revoked', 'its key was revoked');
      }
    },
    endOverdue() {
      const beganMs = clock.elapsedMs() - callMsMax;
      for (const { call, openedMs } of calls.all()) {
        if (openedMs <= beganMs) call.abort('upstream_timeout', TOO_LONG);
      }
    },
  };
}

const TOO_LONG = 'it took longer than a call may take';

class UnderWay implements Presence {
  readonly id: string;
  /** Of a call that holds something. */
  beat: Presence | undefined = undefined;
  readonly #calls: Roster<UnderWay>;
  readonly #seat: Seat;

  constructor(
    readonly call: LiveCall,
    calls: Roster<UnderWay>,
    readonly openedMs: number,
  ) {
    this.id = call.id;
    this.#calls = calls;
    this.#seat = calls.add(this);
  }

  seen(): Amounts {
    return this.call.seen();
  }

  abort(ending: string): void {
    this.call.abort('ledger_unavailable', `its hold was ${ending}`);
  }

  leave(): void {
    this.#calls.remove(this.#seat);
    this.beat?.leave();
  }
}
