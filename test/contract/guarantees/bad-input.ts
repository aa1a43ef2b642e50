// What is no amount, and how long endings are remembered.

/** Each compares false with everything, or rounds, or is negative: none may meet a counter. */
export const BAD_AMOUNTS: readonly number[] = [
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  1e300,
];

export const TOMBSTONE_MS = 2 * 3_600_000;
