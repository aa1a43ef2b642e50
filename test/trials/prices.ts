// Generated prices and usages: every charge against rational arithmetic.

import { faultOfCharge } from '../support/meter/charges.js';
import { seeded } from '../support/seeded.js';
import type { TrialOptions, TrialResult } from './trial.js';

const TOLD_MAX = 20;
const EVERY = 100_000;

export async function runPrices({ count, seed, onProgress }: TrialOptions): Promise<TrialResult> {
  const random = seeded(seed);
  const violations: string[] = [];
  for (let round = 0; round < count && violations.length < TOLD_MAX; round += 1) {
    const fault = faultOfCharge(random.below);
    if (fault !== undefined) violations.push(fault);
    if ((round + 1) % EVERY === 0) onProgress?.(round + 1);
  }
  return { figures: [['charges equal to the oracle', count - violations.length]], violations };
}
