// Every recording of a provider, split at so many random places, through relay and meter.

import { recordedCases } from '../support/meter/recorded.js';
import { faultsOfSplit, recordedCatalog } from '../support/meter/splits.js';
import { recordings } from '../support/transcripts.js';
import type { TrialOptions, TrialResult } from './trial.js';

const TOLD_MAX = 20;

export async function runSplits(options: TrialOptions): Promise<TrialResult> {
  const { count, seed, onProgress } = options;
  const cases = recordedCases();
  const catalog = recordedCatalog();
  const violations: string[] = [];
  if (cases.length === 0) violations.push(`there are no recordings at ${recordings}`);
  let bytes = 0;
  for (let round = 0; round < count; round += 1) {
    for (const one of cases) {
      bytes += one.bytes.length;
      violations.push(...(await faultsOfSplit(one, catalog, seed + round)));
    }
    if (violations.length > TOLD_MAX) break;
    if ((round + 1) % 100 === 0) onProgress?.(round + 1);
  }
  const streams = cases.filter(({ isStream }) => isStream).length;
  return {
    figures: [
      ['recorded streams', streams],
      ['recorded whole answers', cases.length - streams],
      ['with the provider’s own bill', cases.filter((one) => one.ticks !== undefined).length],
      ['splits of each', count],
      ['megabytes relayed', Math.round(bytes / 1e6)],
    ],
    violations,
  };
}
