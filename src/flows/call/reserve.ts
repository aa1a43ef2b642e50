// Holds the estimate in every envelope of the caller, or in none. Never forward on an unknown
// outcome: a ledger that cannot answer refuses the call before any upstream byte, unless every
// budget of the call says otherwise.

import type { Call, Caller, Estimate, Plan, Reserved } from '../../core/call.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { headersIn } from '../../core/header-text.js';
import { uuidV7 } from '../../core/id.js';
import type { ReserveLine } from '../../core/line.js';
import type { Stub } from '../../core/usage-event.js';
import { reserveLines } from '../../rules/budget/reserve-lines.js';
import { LedgerUnavailable, type ReserveReply, type Shortage } from '../../stores/ledger/ledger.js';
import type { CallDeps } from './deps.js';
import { shrink } from './shrink.js';
import { stubOf, stubText } from './stub.js';
import { mayGoUnheld } from './unheld.js';

export interface Admission {
  reserved: Reserved;
  /** JSON of the stub, as the ledger and the spool keep it. */
  stub: string;
  stubFields: Stub;
  /** The ledger could not answer, and the call's budgets let it go on all the same. */
  unheld?: true;
  /** In a dry run: the code and the envelope of what would have been a refusal. */
  wouldRefuse?: string;
  /** What is held if it is less than was asked for: a shorter answer that still fits. */
  shrunk?: Estimate;
}

/** At once where the ledger answers at once. */
export function reserve(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  plan: Plan,
  estimate: Estimate,
): Admission | Refused | Promise<Admission | Refused> {
  if (deps.spool.state().full) {
    return refuse('usage_log_unavailable', 'The usage log is full: no call can be written down.', {
      headers: { 'retry-after': '5' },
    });
  }
  const lines = reserveLines(caller.envelopes, estimate.hold, deps.ledger.nowMs());
  const first = hold(deps, call, caller, plan, estimate, lines);
  const { dry, shrinks } = deps.options;
  if (dry || shrinks) return otherwise(deps, call, caller, plan, estimate, first);
  return first instanceof Promise ? first.then(({ outcome }) => outcome) : first.outcome;
}

// Where a refusal is not the end of it.
async function otherwise(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  plan: Plan,
  estimate: Estimate,
  holding: Held | Promise<Held>,
): Promise<Admission | Refused> {
  const first = await holding;
  if (deps.options.dry) return dryHold(deps, call, caller, plan, estimate, first);
  const shrunk = isRefused(first.outcome) && shrink(call, plan, estimate, first.short);
  if (!shrunk) return first.outcome;
  const less = reserveLines(caller.envelopes, shrunk.hold, deps.ledger.nowMs());
  const { outcome } = await hold(deps, call, caller, plan, shrunk, less);
  return isRefused(outcome) ? first.outcome : { ...outcome, shrunk };
}

interface Held {
  outcome: Admission | Refused;
  lines: readonly ReserveLine[];
  /** Lines that had no room. */
  short: readonly Shortage[];
}

// In a dry run what would be refused is told, and not booked where it would not have been spent.
async function dryHold(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  plan: Plan,
  estimate: Estimate,
  first: Held,
): Promise<Admission | Refused> {
  let held = first;
  while (held.short.length > 0) {
    const full = new Set(held.short.map(({ envelope }) => envelope));
    const lines = held.lines.filter(({ envelope }) => !full.has(envelope));
    held = await hold(deps, call, caller, plan, estimate, lines);
  }
  const { outcome } = held;
  if (held === first || isRefused(outcome) || !isRefused(first.outcome)) return outcome;
  const { code, metadata } = first.outcome.refused;
  const where = metadata?.envelope ?? 'hidden';
  return { ...outcome, wouldRefuse: `${code}; envelope="${where}"` };
}

/** What is asked of the ledger for a call, and by whom. */
interface Asked {
  deps: CallDeps;
  call: Call;
  caller: Caller;
  estimate: Estimate;
  lines: readonly ReserveLine[];
  id: string;
  nowMs: number;
  stub: string;
  stubFields: Stub;
}

function hold(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  plan: Plan,
  estimate: Estimate,
  lines: readonly ReserveLine[],
): Held | Promise<Held> {
  const nowMs = deps.ledger.nowMs();
  const id = uuidV7(nowMs);
  const stubFields = stubOf(call, caller, plan, nowMs);
  const stub = stubText(call, plan, stubFields);
  const { owner, leaseMs } = deps.options;
  const asked: Asked = { deps, call, caller, estimate, lines, id, nowMs, stub, stubFields };
  const request = { id, owner, lines, leaseMs, stub };
  const { now } = deps.ledger;
  if (now) return answered(asked, now.reserve(request));
  return deps.ledger.reserve(request).then(
    (reply) => answered(asked, reply),
    (error: unknown) => {
      if (!(error instanceof LedgerUnavailable)) throw error;
      return unanswered(asked, error.message);
    },
  );
}

const NOTHING_SHORT: readonly Shortage[] = [];

function answered(asked: Asked, reply: ReserveReply): Held {
  const { deps, caller, estimate, lines, id, stub, stubFields } = asked;
  const { envelopes } = caller;
  const { balances, timeMs, answer } = reply;
  if (answer === 'RESERVED' || answer === 'ALREADY_RESERVED') {
    const reserved = { id, lines, held: estimate.hold, balances, envelopes, timeMs };
    return { outcome: { stub, stubFields, reserved }, lines, short: NOTHING_SHORT };
  }
  if (answer !== 'BUDGET_EXCEEDED') return unanswered(asked, answer);
  const short = reply.shortages ?? NOTHING_SHORT;
  const { refused } = deps.explain(short, envelopes, timeMs);
  const told = headersIn(deps.budgetLines(envelopes, balances, timeMs));
  const metadata = { ...refused.metadata, reservation_id: id };
  const headers = { ...told, ...refused.headers, 'x-purser-reservation-id': id };
  return { outcome: { refused: { ...refused, metadata, headers } }, lines, short };
}

function unanswered(asked: Asked, reason: string): Held {
  const { deps, call, caller, estimate, lines, nowMs, stub, stubFields } = asked;
  const short = NOTHING_SHORT;
  if (!mayGoUnheld(caller)) return { outcome: ledgerUnavailable(deps, call, reason), lines, short };
  deps.log.warn({ requestId: call.requestId, reason }, 'a call goes on that holds nothing');
  // Of the id that was asked for nobody knows what became.
  const { envelopes } = caller;
  const own = { id: uuidV7(nowMs), lines, held: estimate.hold, balances: [], envelopes };
  const reserved = { ...own, timeMs: nowMs };
  return { outcome: { stub, stubFields, reserved, unheld: true }, lines, short };
}

function ledgerUnavailable(deps: CallDeps, call: Call, reason: string): Refused {
  deps.log.error({ requestId: call.requestId, reason }, 'the ledger could not hold a call');
  return refuse('ledger_unavailable', 'The budget ledger cannot answer now; nothing was sent.', {
    headers: { 'retry-after': '1' },
  });
}
