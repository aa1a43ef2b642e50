// Waits of one answer: for a time, for a slow reader, for other calls' turn. All end early when the
// reader has left, and `left` says so.

import type { ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.js';

export class Pace {
  left = false;
  readonly #clock: Clock;
  readonly #response: ServerResponse;
  #wake: (() => void) | undefined;
  #drained: (() => void) | undefined;

  constructor(clock: Clock, response: ServerResponse) {
    this.#clock = clock;
    this.#response = response;
    response.once('close', () => {
      this.left = true;
      this.#wake?.();
      this.#drained?.();
    });
    response.on('drain', () => this.#drained?.());
  }

  async wait(ms: number): Promise<void> {
    if (ms === 0 || this.left) return;
    let cancel = () => {};
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      cancel = this.#clock.after(ms, resolve);
    });
    cancel();
  }

  /** Writes, and waits where the reader is slow. */
  async write(text: string): Promise<void> {
    if (this.left || this.#response.write(text)) return;
    await new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
  }

  /** Lets other calls of the process have their turn. */
  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
