// The auditor bites: every deliberately wrong ledger is caught, and soon.

import { describe, expect, it } from 'vitest';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import type { Subject } from '../contract/subject.js';
import { manualClock } from '../support/manual-clock.js';
import { drive } from './drive.js';
import { WRONG_LEDGERS } from './wrong-ledgers.js';

const OPERATIONS_MAX = 20_000;

describe('a ledger that', () => {
  it.each(WRONG_LEDGERS)('$name is caught ($breaks)', async ({ wrap }) => {
    const clock = manualClock(Date.UTC(2026, 9, 24, 9, 41));
    const ledger = wrap(createMemoryLedger({ clock }));
    const subject: Subject = {
      ledger,
      pass: async (ms) => clock.advance(ms),
      stop: () => ledger.close(),
    };
    const driving = drive(subject, { seed: 7, operations: OPERATIONS_MAX, jumps: true });
    await expect(driving).rejects.toMatchObject({ name: 'Violation' });
  });
});
