// One admitted call on its way: what was decided for it, and the few things that change while it
// is under way. It is what the beat sees, and what can be ended from outside.

import { type Amounts, maxAmounts, NOTHING } from '../../core/amount.js';
import type { Call, Caller, Estimate, Plan, Target } from '../../core/call.js';
import type { Balance } from '../../core/envelope.js';
import { type ErrorCode, type Refused, refuse } from '../../core/errors.js';
import type { Reading, UsageEvent } from '../../core/usage-event.js';
import type { OpenHold } from '../../stores/ledger/ledger.js';
import type { CallDeps, LiveCall, Presence } from './deps.js';
import type { Exchange } from './exchange.js';
import type { SentMark } from './marks.js';
import type { Admission } from './reserve.js';

export interface Passage {
  readonly deps: CallDeps;
  readonly call: Call;
  readonly caller: Caller;
  readonly plan: Plan;
  readonly estimate: Estimate;
  readonly admission: Admission;
  /** The target of the attempt under way. */
  target: Target;
  attempts: number;
  /** The last attempt whose request reached the upstream's socket. */
  sentAttempt: number;
  /** Prompts of earlier attempts that may be billed though they brought nothing. */
  billed: Amounts;
  /** What is held now: the estimate, and what was granted on top. */
  held: Amounts;
  /** What this call has cost so far, as the meter sees it; with `billed` what a reap charges. */
  metered: () => Amounts;
  /** Resolves when `sent` is in the ledger and on disk; undefined while nothing was dispatched. */
  sent: Promise<SentMark> | undefined;
  exchange: Exchange | undefined;
  dispatchedMs: number;
  firstByteMs: number | null;
  lastByteMs: number | null;
  /** Among the calls under way, as long as it is. */
  presence: Presence | undefined;
  /** What was booked, once it is. */
  settlement: Settlement | undefined;
  /** Why we ended the call, if we did: the client is told this, whatever the upstream did. */
  overruled: Refused | undefined;
}

/** What was booked of a call. */
export interface Settlement {
  /** What must be written down; absent if the ledger had booked the call before. */
  event: UsageEvent | undefined;
  custodian: 'outbox' | 'none';
  balances: readonly Balance[];
  reading: Reading;
}

export function openPassage(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  plan: Plan,
  estimate: Estimate,
  admission: Admission,
): Passage {
  const target = plan.targets[0] as Target;
  return {
    deps,
    call,
    caller,
    plan,
    estimate,
    admission,
    target,
    attempts: 0,
    sentAttempt: 0,
    billed: NOTHING,
    held: estimate.hold,
    metered: nothing,
    sent: undefined,
    exchange: undefined,
    dispatchedMs: 0,
    firstByteMs: null,
    lastByteMs: null,
    presence: undefined,
    settlement: undefined,
    overruled: undefined,
  };
}

const nothing = () => NOTHING;

/** Registers the passage with the beat, until `stopBeat`. */
export function beatFor(passage: Passage): void {
  passage.presence = passage.deps.live.open(new BeatenCall(passage));
}

/** Takes the call out of the beat: its hold is about to end, and nobody need tell it so. */
export function stopBeat(passage: Passage): void {
  passage.presence?.leave();
}

// One object a call, which lives as long as it does.
class BeatenCall implements LiveCall {
  readonly #passage: Passage;

  constructor(passage: Passage) {
    this.#passage = passage;
  }

  get id(): string {
    return this.#passage.admission.reserved.id;
  }

  get keyId(): string {
    return this.#passage.caller.keyId;
  }

  seen(): Amounts {
    return seenOf(this.#passage);
  }

  hold(): OpenHold {
    return holdNow(this.#passage);
  }

  abort(code: ErrorCode, reason: string): void {
    abort(this.#passage, code, reason);
  }
}

function holdNow(passage: Passage): OpenHold {
  const { deps, admission, estimate, held } = passage;
  const { id, lines } = admission.reserved;
  const { owner, leaseMs } = deps.options;
  return {
    id,
    owner,
    phase: passage.sent ? 'sent' : 'held',
    lines: lines.map((line) => ({ ...line, amount: held[line.unit] })),
    floor: passage.sent ? plus(passage.billed, estimate.floor) : NOTHING,
    seen: seenOf(passage),
    leaseEndsAtMs: deps.ledger.nowMs() + leaseMs,
    stub: admission.stub,
  };
}

/** `spendSoFar` for the beat, which is for all calls: the fault of one must not stop the others. */
export function seenOf(passage: Passage): Amounts {
  if (!passage.sent) return NOTHING;
  try {
    return spendSoFar(passage);
  } catch (error) {
    const { id } = passage.admission.reserved;
    passage.deps.log.error({ id, error }, 'a call could not be metered and is ended');
    passage.metered = nothing;
    abort(passage, 'internal_error', 'it could not be metered');
    return spendSoFar(passage);
  }
}

/** Ends the call from outside; what passed until now is booked. */
export function abort(passage: Passage, code: ErrorCode, reason: string): void {
  passage.overruled ??= refuse(code, `The call was ended: ${reason}.`);
  passage.exchange?.abort();
}

/** What is booked if the call ended now: never below the prompt once it was sent. */
export function spendSoFar(passage: Passage): Amounts {
  const current = maxAmounts(passage.estimate.floor, passage.metered());
  return plus(passage.billed, current);
}

/** Adds money and tokens; a call is one request however many attempts it took. */
export function plus(left: Amounts, right: Amounts): Amounts {
  return {
    nano_usd: left.nano_usd + right.nano_usd,
    tokens: left.tokens + right.tokens,
    requests: Math.max(left.requests, right.requests),
    concurrency: 0,
  };
}

/**
 * Writes down that the request is on the upstream's socket: `sent` to the spool and to the ledger,
 * both issued at once and awaited only before the first byte goes to the client.
 */
export function markSent(passage: Passage): Promise<SentMark> {
  const { deps, admission } = passage;
  const { reserved, stub } = admission;
  passage.sentAttempt = passage.attempts;
  const floor = plus(passage.billed, passage.estimate.floor);
  const { id, lines } = reserved;
  const written = deps.spool.sent({ id, lines, stub, floor });
  const told = deps.marks.tell(id, floor);
  return written.then(
    () => bothTold(deps, told),
    async (error: unknown): Promise<SentMark> => {
      deps.log.error({ id, error }, 'the usage log took no `sent` record');
      await bothTold(deps, told);
      return 'unwritten';
    },
  );
}

function bothTold(deps: CallDeps, told: SentMark | Promise<SentMark>) {
  if (told instanceof Promise) {
    return told.then((mark) => {
      deps.failpoint('post_send');
      return mark;
    });
  }
  deps.failpoint('post_send');
  return told;
}
