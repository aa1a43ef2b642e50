// All states of the small model on the memory ledger.

import { expect, it } from 'vitest';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { manualClock } from '../support/manual-clock.js';
import { exploreSmallModel } from './small-model.js';

const DEPTH = 8;

it('two envelopes and three reservations are right in every state of eight steps', async () => {
  const report = await exploreSmallModel(async () => {
    const clock = manualClock(Date.UTC(2026, 9, 24));
    const ledger = createMemoryLedger({ clock });
    return { ledger, pass: async (ms) => clock.advance(ms), stop: () => ledger.close() };
  }, DEPTH);
  expect(report.byDepth).toHaveLength(DEPTH + 1);
  expect(report.states).toBeGreaterThan(5000);
}, 120_000);
