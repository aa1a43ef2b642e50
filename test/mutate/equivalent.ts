// Mutants that change nothing anybody could see, each with its reason. At most five.

export interface Equivalent {
  file: string;
  /** Part of the line that is changed. */
  code: string;
  change: string;
  reason: string;
}

export const EQUIVALENT: readonly Equivalent[] = [];
