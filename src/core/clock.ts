// Time comes in as an argument, so that tests can move it. `drivers/clock.ts` has the real one.

export interface Clock {
  /** Wall-clock milliseconds since 1970, whole. */
  nowMs(): number;
  /** Monotonic milliseconds with fractions, for durations only. */
  elapsedMs(): number;
  /** Calls `tick` every `everyMs` until the answer is called. Never keeps the process alive. */
  every(everyMs: number, tick: () => void): () => void;
  /** Calls `fire` once after `afterMs` unless the answer is called before. */
  after(afterMs: number, fire: () => void): () => void;
}
