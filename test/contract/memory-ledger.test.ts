// The contract on the memory ledger, with a clock that only `pass` moves.

import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { manualClock } from '../support/manual-clock.js';
import { describeLedger } from './ledger-contract.js';

describeLedger('memory', async () => {
  const clock = manualClock(Date.UTC(2026, 10, 21, 9, 41));
  const ledger = createMemoryLedger({ clock });
  return {
    ledger,
    pass: async (ms) => clock.advance(ms),
    stop: () => ledger.close(),
  };
});
