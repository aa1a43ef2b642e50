// Whose turn a worker's round is, where several gateways run the same worker: whoever takes the
// lease, until it ends by itself. A round that lasts longer may meet another gateway's, which does
// no harm: every round can be done twice.

import type { Leases } from '../../stores/ledger/leases.js';

/** Whether this gateway does the round that is due now. */
export type Turn = () => Promise<boolean>;

/** `ms` is a little less than the worker's interval, so that the next round is anybody's. */
export function createTurn(leases: Leases, name: string, ms: number): Turn {
  return async () => (await leases.take(name, ms)) !== undefined;
}
