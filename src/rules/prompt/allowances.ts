// How many tokens each slot may have. Every allowance can only grow with the budget: that is why
// a larger budget never keeps less of any slot. Whole-number arithmetic, so that it holds exactly.

/** In the order in which slots are cut: the first gives way first. */
export interface Need {
  /** The least that can be kept at all: 0 for what may be dropped. */
  hard: number;
  /** The least that should be kept: its minimum in tokens, at least `hard`. */
  floor: number;
  whole: number;
}

export interface Allowances {
  tokens: number[];
  /** The minima were above their share and have been reduced in proportion. */
  reduced: boolean;
}

/** Undefined: not even what must be kept has room. */
export function allowances(needs: readonly Need[], budget: number): Allowances | undefined {
  let [hard, floor] = [0, 0];
  for (const need of needs) {
    hard += need.hard;
    floor += need.floor;
  }
  if (hard > budget) return undefined;
  // All floors together have three quarters of the budget; what is above the hard ones shrinks in
  // proportion. All amounts are in units of 1/scale of a token from here on.
  const reduced = 4 * floor > 3 * budget && floor > hard;
  const scale = reduced ? 4 * (floor - hard) : 1;
  const share = reduced ? Math.max(0, 3 * budget - 4 * hard) : 1;
  const floors = needs.map((need) => need.hard * scale + share * (need.floor - need.hard));
  let rest = budget * scale;
  for (const one of floors) rest -= one;
  const tokens = new Array<number>(needs.length);
  for (let index = needs.length - 1; index >= 0; index -= 1) {
    const own = floors[index]!;
    const more = Math.min(needs[index]!.whole * scale - own, rest);
    rest -= more;
    tokens[index] = Math.floor((own + more) / scale);
  }
  return { tokens, reduced };
}
