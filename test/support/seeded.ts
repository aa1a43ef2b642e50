// Random choices that a printed seed brings back.

export interface Seeded {
  /** A whole number from 0 to below `bound`. */
  below(bound: number): number;
  pick<T>(from: readonly T[]): T;
}

/** mulberry32: 32 bits of state, good enough to choose where a stream is cut. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (bound: number) => Math.floor(next() * bound);
  return { below, pick: (from) => from[below(from.length)]! };
}

/** Cuts `bytes` at `cuts` random places (fewer where they fall together). */
export function splitAtRandom(bytes: Buffer, cuts: number, random: Seeded): Buffer[] {
  const places = new Set<number>([0]);
  for (let i = 0; i < cuts; i++) places.add(random.below(bytes.length));
  const starts = [...places].sort((left, right) => left - right);
  return starts.map((start, i) => bytes.subarray(start, starts[i + 1] ?? bytes.length));
}
