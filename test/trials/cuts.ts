// Streams that meet the end of their budget at random, through a whole gateway.

import { cutCases, NO_CUTS, openCutStory } from '../support/meter/cuts.js';
import { openOwnDatabase } from './own-database.js';
import type { TrialOptions, TrialResult } from './trial.js';

const BATCH = 25;

export async function runCuts({ count, seed, onProgress }: TrialOptions): Promise<TrialResult> {
  const bench = await openCutStory(await openOwnDatabase());
  const figures = NO_CUTS();
  try {
    for (let done = 0; done < count; done += BATCH) {
      const length = Math.min(BATCH, count - done);
      const seeds = Array.from({ length }, (_, index) => seed + done + index);
      await cutCases(bench, seeds, figures);
      onProgress?.(done + length);
    }
  } finally {
    await bench.story.end().catch((error: Error) => figures.faults.push(error.message));
  }
  return {
    figures: [
      ['streams', figures.cases],
      ['cut exactly before the first event without room', figures.cut],
      ['of them and the others, longer than their first tranche', figures.extended],
      ['completed, because all of it fits', figures.completed],
      ['held whole (strict, or hidden output), none with an overrun', figures.wholeHeld],
      ['of those, refused', figures.refused],
    ],
    violations: figures.faults,
  };
}
