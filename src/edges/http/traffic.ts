// What is open on one listener: its connections, whoever reads them, and how many exchanges run.

import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.js';
import { Roster } from '../../core/roster.js';

export class Traffic {
  readonly connections = new Roster<Socket>();
  draining = false;
  #running = 0;
  /** Who waits until nothing runs. */
  readonly #waiting = new Set<() => void>();

  get running(): number {
    return this.#running;
  }

  began(): void {
    this.#running += 1;
  }

  ended(): void {
    this.#running -= 1;
    if (this.#running === 0) for (const tell of this.#waiting) tell();
  }

  /** Resolves when nothing runs any more, or after the grace. */
  idleOrLate(graceMs: number, clock: Clock): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const tell = (): void => {
        stop();
        this.#waiting.delete(tell);
        resolve();
      };
      const stop = clock.after(graceMs, tell);
      this.#waiting.add(tell);
    });
  }
}
