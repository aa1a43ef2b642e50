// Everything happens to Redis under 32 clients: at least twice each in every run of the tests.

import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { freshPostgres } from '../support/databases.js';
import { FAULTS } from './faults.js';
import { runFaults } from './run.js';

const EACH = 2;
const OPERATIONS = 20_000;
const SEED = 20_261_121;
const RARE_MIN = 20;

it('whatever happens to Redis, nothing is lost, doubled or answered wrongly', async () => {
  const { database, drop } = await freshPostgres({ max: 16 });
  try {
    const report = await runFaults({
      ...{ seed: SEED, operations: OPERATIONS, faults: EACH * FAULTS.length, database },
      folder: join(inject('runFolder'), 'fault-run'),
    });
    for (const fault of FAULTS) expect(report.faults.get(fault), fault).toBe(EACH);
    const times = (answer: string): number =>
      [...report.counts].reduce((sum, [name, n]) => sum + (name.endsWith(answer) ? n : 0), 0);
    for (const answer of ['LEDGER_LOST', 'STALE_EPOCH', 'CORRUPT']) {
      expect(times(answer), answer).toBeGreaterThanOrEqual(RARE_MIN);
    }
  } finally {
    await drop();
  }
}, 180_000);
