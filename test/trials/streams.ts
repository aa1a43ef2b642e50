// Mutated streams of the three wire formats through their readers.

import { FORMATS, faultsOfMutant, faultsOfUsage } from '../support/meter/mutants.js';
import type { TrialOptions, TrialResult } from './trial.js';

const TOLD_MAX = 20;
const EVERY = 5_000;

export async function runStreams(options: TrialOptions): Promise<TrialResult> {
  const { count, seed, onProgress } = options;
  const violations: string[] = [];
  let read = 0;
  let slowestMs = 0;
  for (let round = 0; round < count && violations.length < TOLD_MAX; round += 1) {
    const format = FORMATS[round % FORMATS.length]!;
    const startedMs = performance.now();
    violations.push(...faultsOfMutant(format, seed + round));
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    const told = faultsOfUsage(format, seed + round);
    violations.push(...told.faults);
    if (told.read) read += 1;
    if ((round + 1) % EVERY === 0) onProgress?.(round + 1);
  }
  return {
    figures: [
      ['mutated streams', count],
      ['whose usage was read without a mark, and is in the stream', read],
      ['slowest, ms', Math.round(slowestMs)],
    ],
    violations,
  };
}
