// Who waits for bytes that may never come. One coarse timer looks after all of them: a timer each
// would cost more than reading a small body does. It is late by about an eighth of the shortest
// wait, or by a second, and never early.

import { Roster, type Seat } from '../core/roster.js';

export interface Waiting {
  /** The longest wait. */
  readonly idleMs: number;
  /** At least this long has it heard nothing; it sets this to 0 when it does. */
  quietMs: number;
  /** Called once the wait is over, for as long as it is not removed. */
  onIdle(): void;
}

const LOOK_MS_MIN = 10;
const LOOK_MS_MAX = 1_000;

export class IdleWatch<T extends Waiting = Waiting> {
  readonly #waiting = new Roster<T>();
  #timer: NodeJS.Timeout | undefined;
  #lookMs = Number.POSITIVE_INFINITY;

  /** Answers its seat, to be given back with `remove`. `idleMsMin`: its shortest wait of all. */
  add(waiting: T, idleMsMin: number = waiting.idleMs): Seat {
    const seat = this.#waiting.add(waiting);
    const lookMs = Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, idleMsMin / 8));
    if (lookMs >= this.#lookMs) return seat;
    this.#lookMs = lookMs;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
    return seat;
  }

  remove(seat: Seat): void {
    this.#waiting.remove(seat);
  }

  all(): T[] {
    return this.#waiting.all();
  }

  #look(): void {
    for (const waiting of this.#waiting.all()) {
      // Counted after the look: what came last may have come a moment before the first one.
      if (waiting.quietMs >= waiting.idleMs) waiting.onIdle();
      waiting.quietMs += this.#lookMs;
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#lookMs = Number.POSITIVE_INFINITY;
  }
}
