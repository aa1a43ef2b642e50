// A call that the ledger could not hold, all of whose budgets say `on_ledger_down: continue`. To it
// the ledger stays away until its end, so that none that comes back in between takes it for a lost
// hold; its event waits in the spool and is booked whole once the ledger answers.

import type { Caller } from '../../core/call.js';
import { LedgerUnavailable } from '../../stores/ledger/ledger.js';
import type { CallDeps, CallLedger } from './deps.js';
import type { Marks } from './marks.js';

/** A budget that refuses speaks for all; so does having none. */
export function mayGoUnheld({ envelopes }: Caller): boolean {
  return envelopes.length > 0 && envelopes.every(({ onLedgerDown }) => onLedgerDown === 'continue');
}

export function unheldDeps(deps: CallDeps): CallDeps {
  const { ledger, live } = deps;
  const away = () => Promise.reject(new LedgerUnavailable('this call holds nothing'));
  const none: CallLedger = {
    nowMs: () => ledger.nowMs(),
    reserve: away,
    extend: away,
    finalize: away,
    release: away,
    balances: away,
  };
  const marks: Marks = { tell: () => 'marked' };
  return { ...deps, ledger: none, marks, live: { open: (call) => live.open(call, 'unheld') } };
}
