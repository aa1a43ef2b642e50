// Which ledger holds the money: this process' memory, closed until it is rebuilt from the rows.

import type { Config } from './config.js';
import type { Clock } from './core/clock.js';
import { OperatorError } from './core/errors.js';
import type { Ledger } from './stores/ledger/ledger.js';
import { createMemoryLedger } from './stores/ledger/memory-ledger.js';

export async function composeLedger(config: Config, clock: Clock): Promise<Ledger> {
  if (config.redisUrl !== null) {
    throw new OperatorError('The Redis ledger is not served yet.', 'Unset REDIS_URL.');
  }
  const ledger = createMemoryLedger({ clock });
  await ledger.closeAdmission();
  return ledger;
}
