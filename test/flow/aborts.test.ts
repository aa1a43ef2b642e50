// Clients that leave at a random byte: one row each, with what the upstream had written. How soon
// its socket closes is measured by `npm run trials -- aborts`, which leaves ten times as often.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { freshDatabase } from '../support/databases.js';
import { abortCalls, LANES, NO_ABORTS, openAbortStory } from '../support/meter/aborts.js';
import type { Story } from '../support/story.js';

const CALLS = 56;

let story: Story;
beforeAll(async () => {
  story = await openAbortStory(await freshDatabase('postgres'));
});
afterAll(() => story.end());

test(`a stream that its client leaves has one row, of what was written (${CALLS})`, async () => {
  const figures = NO_ABORTS();
  for (let seed = 0; seed < CALLS; seed += LANES) {
    await abortCalls(
      story,
      Array.from({ length: LANES }, (_, lane) => seed + lane),
      figures,
    );
    expect(figures.faults).toEqual([]);
  }
  expect(figures.calls).toBe(CALLS);
  expect(figures.upstreamClosedMs.length).toBeGreaterThan(CALLS / 2);
}, 120_000);
