// What would be said to a call if it came now: everything up to the hold is worked out, nothing is
// held. The answer may be another one a moment later.

import type { Call, Estimate } from '../../core/call.js';
import type { Balance, Envelope } from '../../core/envelope.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { ReserveLine } from '../../core/line.js';
import { reserveLines } from '../../rules/budget/reserve-lines.js';
import { LedgerUnavailable, type Shortage } from '../../stores/ledger/ledger.js';
import type { CallDeps } from './deps.js';
import { estimate } from './estimate.js';
import { fitPrompt } from './fit.js';
import { resolve, withTargets } from './resolve.js';

export interface Quote {
  /** Null: it would be admitted. */
  refusal: Refused | null;
  estimate: Estimate;
  envelopes: readonly Envelope[];
  /** In the order of the envelopes, with limit and mode as a reserve would find them. */
  balances: readonly Balance[];
  timeMs: number;
}

/** A refusal that is not the ledger's (no such model, no such key) is handed back as it is. */
export async function quote(deps: CallDeps, asked: Call): Promise<Quote | Refused> {
  const closed = deps.refuseNew();
  if (closed) return closed;
  const known = deps.authenticate(asked);
  if (isRefused(known)) return known;
  const resolved = resolve(deps, asked, known);
  if (isRefused(resolved)) return resolved;
  const { caller, plan } = withTargets(deps, known, resolved);
  const fitted = await fitPrompt(deps.prompts.fit, asked, caller, plan);
  if (isRefused(fitted)) return fitted;
  const call = fitted ? { ...asked, body: fitted.body, prompt: fitted } : asked;
  const estimated = await estimate(deps, call, caller, plan);
  if (isRefused(estimated)) return estimated;
  const timeMs = deps.ledger.nowMs();
  const lines = reserveLines(caller.envelopes, estimated.hold, timeMs);
  const balances = await balancesOf(deps, lines);
  if (isRefused(balances)) return balances;
  const shortages = lines.flatMap((line, index) => shortageOf(line, balances[index]));
  const refusal = shortages.length === 0 ? null : deps.explain(shortages, caller.envelopes, timeMs);
  return { refusal, estimate: estimated, envelopes: caller.envelopes, balances, timeMs };
}

async function balancesOf(
  deps: CallDeps,
  lines: readonly ReserveLine[],
): Promise<Balance[] | Refused> {
  try {
    const found = await deps.ledger.balances(lines);
    return found.map((balance, index) => {
      const { limit, mode } = lines[index] ?? balance;
      return { ...balance, limit, mode };
    });
  } catch (error) {
    if (!(error instanceof LedgerUnavailable)) throw error;
    return refuse('ledger_unavailable', 'The budget ledger cannot answer now.', {
      headers: { 'retry-after': '1' },
    });
  }
}

function shortageOf(line: ReserveLine, balance: Balance | undefined): Shortage[] {
  const { envelope, label, unit, amount: needed, limit, mode } = line;
  if (!balance || mode !== 'block' || limit === null) return [];
  const { committed, reserved } = balance;
  if (limit > 0 && committed + reserved + needed <= limit) return [];
  return [{ envelope, label, unit, needed, limit, committed, reserved }];
}
