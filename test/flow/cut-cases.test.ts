// Streams that meet the end of their budget, at random, in all three wire formats: cut exactly where
// the next event does not fit, extensions included, and never before. `npm run trials -- cuts`
// runs more of them.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase } from '../support/databases.js';
import { type CutStory, cutCases, NO_CUTS, openCutStory } from '../support/meter/cuts.js';

const CASES = 125;
const BATCH = 25;

let bench: CutStory;
beforeAll(async () => {
  bench = await openCutStory(await freshDatabase('postgres'));
});
// The books of the ledger and of the rows are compared when the story ends.
afterAll(() => bench.story.end());

test(`a stream is cut within one event of the room on both sides (${CASES} cases)`, async () => {
  const figures = NO_CUTS();
  for (let seed = 0; seed < CASES; seed += BATCH) {
    await cutCases(
      bench,
      Array.from({ length: BATCH }, (_, i) => seed + i),
      figures,
    );
    expect(figures.faults).toEqual([]);
  }
  expect(figures.cut).toBeGreaterThan(CASES / 8);
  expect(figures.completed).toBeGreaterThan(CASES / 8);
  expect(figures.wholeHeld - figures.refused).toBeGreaterThan(CASES / 40);
  expect(figures.extended).toBeGreaterThan(CASES / 8);
}, 120_000);
