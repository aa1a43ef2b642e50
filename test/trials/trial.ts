// What a trial is: a run with a count and a seed, whose result is figures and what went wrong.

export type Figure = readonly [name: string, value: number | string];

export interface TrialOptions {
  count: number;
  seed: number;
  onProgress?: (done: number) => void;
}

export interface TrialResult {
  figures: readonly Figure[];
  /** Empty: the trial was passed. */
  violations: readonly string[];
}

export interface Trial {
  title: string;
  /** What is counted, as the progress bar says it. */
  unit: string;
  countDefault: number;
  run(options: TrialOptions): Promise<TrialResult>;
}
