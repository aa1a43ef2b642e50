// How long a command of Redis may be unanswered. A loop that was busy runs its timers before it
// reads what had come in time, so nothing is given up before the loop has read once more: else a
// gateway under load would refuse calls that Redis has already admitted.

import type { Clock } from '../core/clock.js';

interface Waiting {
  dueMs: number;
  isDone: boolean;
  /** It was due when the loop had not yet read what had come. */
  isLate: boolean;
  giveUp(error: Error): void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** In the order in which they are due. */
  #waiting: Waiting[] = [];
  #isArmed = false;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** The answer, or an error after the timeout; what comes later is dropped. */
  within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        dueMs: this.#clock.elapsedMs() + this.#timeoutMs,
        isDone: false,
        isLate: false,
        giveUp: reject,
      };
      this.#waiting.push(waiting);
      if (!this.#isArmed) this.#arm(this.#timeoutMs);
      answer.then(
        (value) => {
          waiting.isDone = true;
          resolve(value);
        },
        (error: unknown) => {
          waiting.isDone = true;
          reject(error);
        },
      );
    });
  }

  #arm(afterMs: number): void {
    this.#isArmed = true;
    this.#clock.after(afterMs, () => this.#look());
  }

  // Found late once, then the loop reads, and what is late still is given up.
  #look(): void {
    const nowMs = this.#clock.elapsedMs();
    let past = 0;
    let found = false;
    for (const waiting of this.#waiting) {
      if (!waiting.isDone && waiting.dueMs > nowMs) break;
      if (!waiting.isDone && !waiting.isLate) {
        waiting.isLate = true;
        found = true;
      }
      if (found) continue;
      past += 1;
      if (!waiting.isDone) waiting.giveUp(new Error(TIMED_OUT));
    }
    this.#waiting.splice(0, past);
    const next = this.#waiting[0];
    this.#isArmed = next !== undefined;
    if (found) setImmediate(() => setImmediate(() => this.#look()));
    else if (next) this.#arm(Math.max(1, next.dueMs - nowMs));
  }
}

/** As ioredis words it. */
export const TIMED_OUT = 'Command timed out';
