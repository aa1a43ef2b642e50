// Holds the estimate in every envelope of the caller, or in none. Never forward on an unknown
// outcome: a ledger that cannot answer refuses the call before any upstream byte.

import type { Call, Caller, Estimate, Plan, Reserved } from '../../core/call.js';
import { type Refused, refuse } from '../../core/errors.js';
import { uuidV7 } from '../../core/id.js';
import type { Stub } from '../../core/usage-event.js';
import { reserveLines } from '../../rules/budget/reserve-lines.js';
import { LedgerUnavailable, type ReserveReply } from '../../stores/ledger/ledger.js';
import type { CallDeps } from './deps.js';

export interface Admission {
  reserved: Reserved;
  /** JSON of the stub, as the ledger and the spool keep it. */
  stub: string;
  stubFields: Stub;
}

export async function reserve(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  plan: Plan,
  estimate: Estimate,
): Promise<Admission | Refused> {
  if (deps.spool.state().full) {
    return refuse('usage_log_unavailable', 'The usage log is full: no call can be written down.', {
      headers: { 'retry-after': '5' },
    });
  }
  const nowMs = deps.ledger.nowMs();
  const id = uuidV7(nowMs);
  const lines = reserveLines(caller.envelopes, estimate.hold, nowMs);
  const stubFields = stubOf(call, caller, plan, nowMs);
  const stub = JSON.stringify(stubFields);
  const { owner, leaseMs } = deps.options;
  let reply: ReserveReply;
  try {
    reply = await deps.ledger.reserve({ id, owner, lines, leaseMs, stub });
  } catch (error) {
    if (!(error instanceof LedgerUnavailable)) throw error;
    return ledgerUnavailable(deps, call, error.message);
  }
  switch (reply.answer) {
    case 'RESERVED':
    case 'ALREADY_RESERVED':
      return {
        stub,
        stubFields,
        reserved: {
          id,
          lines,
          held: estimate.hold,
          balances: reply.balances,
          envelopes: caller.envelopes,
          timeMs: reply.timeMs,
        },
      };
    case 'BUDGET_EXCEEDED': {
      const { refused } = deps.explain(reply.shortages ?? [], caller.envelopes, reply.timeMs);
      const told = deps.budgetHeaders(caller.envelopes, reply.balances, reply.timeMs);
      const metadata = { ...refused.metadata, reservation_id: id };
      const headers = { ...told, ...refused.headers, 'x-purser-reservation-id': id };
      return { refused: { ...refused, metadata, headers } };
    }
    default:
      return ledgerUnavailable(deps, call, reply.answer);
  }
}

function ledgerUnavailable(deps: CallDeps, call: Call, reason: string): Refused {
  deps.log.error({ requestId: call.requestId, reason }, 'the ledger could not hold a call');
  return refuse('ledger_unavailable', 'The budget ledger cannot answer now; nothing was sent.', {
    headers: { 'retry-after': '1' },
  });
}

function stubOf(call: Call, caller: Caller, plan: Plan, startedAtMs: number): Stub {
  const first = plan.targets[0];
  return {
    attribution: caller.attribution,
    provider: first?.provider.name ?? '',
    model: first?.model ?? plan.publicModel,
    priceVersion: first?.price?.version ?? '',
    startedAtMs,
    stream: call.body.stream,
    requestId: call.requestId,
  };
}
