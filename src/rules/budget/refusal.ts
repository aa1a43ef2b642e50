// What a caller is told when the ledger had no room: one envelope, the most final of those that
// refused, by name and amounts, and when asking again makes sense. A budget is 402, which clients
// do not retry; a rate is 429, which they do.

import type { Unit } from '../../core/amount.js';
import { assert } from '../../core/assert.js';
import type { Envelope } from '../../core/envelope.js';
import { type ErrorCode, type Refused, refuse } from '../../core/errors.js';
import { amountText, amountWithUnit, instantText, unitName } from './amount-text.js';
import { periodWindow } from './period-window.js';

/** Of one line that had no room, as the ledger answers it. */
export interface NoRoom {
  envelope: string;
  label: string;
  unit: Unit;
  needed: number;
  limit: number;
  committed: number;
  reserved: number;
}

/** Calls in flight end at any moment; this only keeps a client from asking in a tight loop. */
const IN_FLIGHT_RETRY_MS = 2000;

/** Why there was no room: `too_large` never fits, `spent` not in this period, `held` soon. */
type Reason = 'too_large' | 'spent' | 'held';
const FINALITY: Record<Reason, number> = { too_large: 2, spent: 1, held: 0 };

interface Told {
  shortage: NoRoom;
  envelope: Envelope;
  reason: Reason;
  isRate: boolean;
}

/** Rates and concurrency are 429; money is 402 at every period. */
export function isRate(envelope: Pick<Envelope, 'unit' | 'period'>): boolean {
  if (envelope.unit === 'nano_usd') return false;
  if (envelope.unit === 'concurrency') return true;
  return envelope.period === 'minutely' || envelope.period === 'hourly';
}

export function refusalOf(
  shortages: readonly NoRoom[],
  envelopes: readonly Envelope[],
  nowMs: number,
): Refused {
  const told = whichIsTold(shortages, envelopes);
  const { shortage, envelope, reason } = told;
  const { endsAtMs } = periodWindow(envelope.period, envelope.calendar, nowMs);
  const resetsAt = endsAtMs === undefined ? null : instantText(endsAtMs);
  const { unit } = envelope;
  const amount = (value: number): string | number =>
    unit === 'nano_usd' ? amountText(unit, value) : value;
  const shown = envelope.visible && {
    scope: envelope.scope,
    envelope: envelope.id,
    limit: amount(shortage.limit),
    spent: amount(shortage.committed),
    reserved: amount(shortage.reserved),
  };
  return refuse(codeOf(told), messageOf(told, resetsAt), {
    metadata: {
      ...shown,
      unit: unitName(unit),
      requested: amount(shortage.needed),
      resets_at: resetsAt,
    },
    headers: headersOf(told, endsAtMs, nowMs, reason),
  });
}

// 402 before 429, then the most final reason, then what the caller may see.
function whichIsTold(shortages: readonly NoRoom[], envelopes: readonly Envelope[]): Told {
  const all = shortages.map((shortage): Told => {
    const envelope = envelopes.find(({ id }) => id === shortage.envelope);
    assert(envelope, `the ledger refused by ${shortage.envelope}, which the call does not touch`);
    return { shortage, envelope, reason: reasonOf(shortage), isRate: isRate(envelope) };
  });
  all.sort(
    (a, b) =>
      Number(a.isRate) - Number(b.isRate) ||
      FINALITY[b.reason] - FINALITY[a.reason] ||
      Number(b.envelope.visible) - Number(a.envelope.visible),
  );
  const [told] = all;
  assert(told, 'a refusal names at least one line');
  return told;
}

function reasonOf({ needed, limit, committed }: NoRoom): Reason {
  if (needed > limit || limit === 0) return 'too_large';
  return needed > limit - committed ? 'spent' : 'held';
}

const BUDGET_CODE: Record<Reason, ErrorCode> = {
  too_large: 'request_exceeds_budget',
  spent: 'budget_exceeded',
  held: 'budget_in_flight',
};

function codeOf({ isRate: rate, envelope, reason }: Told): ErrorCode {
  if (!rate) return BUDGET_CODE[reason];
  return envelope.unit === 'concurrency' ? 'concurrency_limit' : 'rate_limit_exceeded';
}

// No "exceeded your current quota" in the text of a rate: clients match it and give up.
function messageOf({ shortage, envelope, reason }: Told, resetsAt: string | null): string {
  const { unit, period } = envelope;
  const { needed, limit, committed, reserved } = shortage;
  const text = (value: number): string => amountWithUnit(unit, value);
  const when = resetsAt === null ? 'It does not renew.' : `It resets at ${resetsAt}.`;
  if (!envelope.visible) {
    const kind = period === 'ever' ? 'lasting' : period;
    const need = `no room for the ${text(needed)} that this call may need`;
    return `A ${kind} budget that this key cannot see has ${need}. ${when}`;
  }
  const name = `The budget "${envelope.scope}" (${text(limit)}, ${period})`;
  const left = text(Math.max(0, limit - committed - reserved));
  switch (reason) {
    case 'too_large':
      return `${name} is smaller than this call, which may need ${text(needed)}.`;
    case 'spent':
      return `${name} has ${left} left; this call may need ${text(needed)}. ${when}`;
    case 'held':
      return (
        `${name} has ${left} left while ${text(reserved)} are held by calls in flight; ` +
        `this call may need ${text(needed)}.`
      );
  }
}

function headersOf(
  told: Told,
  endsAtMs: number | undefined,
  nowMs: number,
  reason: Reason,
): Record<string, string> {
  const stop = { 'x-should-retry': 'false' };
  if (reason === 'too_large') return stop;
  const restMs = endsAtMs === undefined ? undefined : endsAtMs - nowMs;
  const soonMs = Math.min(IN_FLIGHT_RETRY_MS, restMs ?? IN_FLIGHT_RETRY_MS);
  if (told.isRate) return retryAfter(restMs ?? soonMs);
  if (reason === 'held') return { ...stop, ...retryAfter(soonMs) };
  // What is spent for ever has no moment at which asking again would make sense.
  return restMs === undefined ? stop : { ...stop, ...retryAfter(restMs) };
}

function retryAfter(ms: number): Record<string, string> {
  const atLeast = Math.max(1, Math.ceil(ms));
  return {
    'retry-after': String(Math.ceil(atLeast / 1000)),
    'retry-after-ms': String(atLeast),
  };
}
