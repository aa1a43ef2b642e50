// The gateway is killed with -9 under load, again and again, and every call is in the rows once.
// `npm run trials -- kills` does the same for longer.

import { expect, test } from 'vitest';
import { pgliteImage } from '../support/databases.js';
import { runKills } from '../trials/kills.js';

const KILLS = 5;
const SEED = Number(process.env.SEED ?? 20_261);
const TIMEOUT_MS = 600_000;

test(
  'kill -9 under load loses no call that a client saw, and charges none twice or for nothing',
  async () => {
    const seen = await runKills({ count: KILLS, seed: SEED, image: await pgliteImage() });
    const figures = Object.fromEntries(seen.figures);
    expect(seen.violations, `seed ${SEED}, ${JSON.stringify(figures)}`).toEqual([]);
    // What was not met cannot have been tried.
    expect(figures['rows of reaped calls']).toBeGreaterThan(0);
    expect(figures['ended for their client']).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);
