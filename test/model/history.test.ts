// Random histories on the memory ledger: every reply and every counter as the auditor predicts,
// and every answer that needs no fault met often.

import { describe, expect, it } from 'vitest';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { LEDGER_CONTRACT } from '../contract/ledger-contract.js';
import { manualClock } from '../support/manual-clock.js';
import { drive } from './drive.js';

const OPERATIONS = 200_000;
const SEED = 20_261_121;
const EACH_ANSWER_MIN = 500;

describe('200,000 random operations of 32 clients', () => {
  it('are answered and counted as predicted, each answer at least 500 times', async () => {
    const clock = manualClock(Date.UTC(2026, 9, 24, 9, 41));
    const ledger = createMemoryLedger({ clock });
    const subject = {
      ledger,
      pass: async (ms: number) => clock.advance(ms),
      stop: () => ledger.close(),
    };
    const report = await drive(subject, { seed: SEED, operations: OPERATIONS, jumps: true });
    const rare = expectedAnswers().filter(
      (name) => (report.counts.get(name) ?? 0) < EACH_ANSWER_MIN,
    );
    expect(rare).toEqual([]);
    expect([...report.counts.keys()].sort()).toEqual(expectedAnswers().sort());
    expect(report.operations).toBeGreaterThanOrEqual(OPERATIONS);
  }, 120_000);
});

/** `verb ANSWER` of everything that the contract does not leave to Redis. */
function expectedAnswers(): string[] {
  return Object.entries(LEDGER_CONTRACT.verbs).flatMap(([verb, answers]) =>
    Object.entries(answers)
      .filter(([, guarantees]) => guarantees !== 'redis only')
      .map(([answer]) => `${verb} ${answer}`),
  );
}
