// What a scenario is given and what it answers. Figures have names (`small-call.embedded`), by
// which floors, aims and notes speak of them; tables are for people; raw rounds are kept.

import type { Tools } from './support/tools.js';

export type Row = Record<string, string | number>;

export interface Outcome {
  /** Medians, one line a variant. */
  table: Row[];
  /** As measured, in the order of measuring. */
  rounds: Row[];
  figures: Record<string, number>;
  /** What was skipped, what bounded a figure, what has to be known to read it. */
  remarks: string[];
  /** Calls that failed, promises that did not hold: the bench fails with any. */
  failures: string[];
}

export interface Bench {
  quick: boolean;
  tools: Tools;
  /** A folder of its own, gone afterwards. */
  folder: string;
  told(text: string): void;
}

export interface Scenario {
  title: string;
  /** What its figures mean, in a sentence or two. */
  about: string;
  /** How long the full one takes on the reference machine. */
  seconds: number;
  /** Left out of a run of all: `--only` asks for it. */
  alone?: true;
  /** Left out of `--quick` unless asked for by name. */
  slow?: true;
  run(bench: Bench): Promise<Outcome>;
}

export function emptyOutcome(): Outcome {
  return { table: [], rounds: [], figures: {}, remarks: [], failures: [] };
}
