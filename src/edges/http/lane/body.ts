// The body of a request on the lane that did not come with its head: collected by its length.

import type { Seat } from '../../../core/roster.js';
import type { Waiting } from '../../../drivers/idle-watch.js';
import { bodyLate, bodyWatch, tooLarge } from '../body.js';
import type { Body, BodyOptions } from '../exchange.js';

export class LaneBody implements Waiting {
  idleMs = 0;
  quietMs = 0;
  readonly #pieces: Buffer[];
  #missing: number;
  #resolve: ((body: Body) => void) | undefined;
  #seat: Seat | undefined;

  constructor(
    readonly length: number,
    first: Buffer,
  ) {
    this.#pieces = first.length > 0 ? [first] : [];
    this.#missing = length - first.length;
  }

  get whole(): boolean {
    return this.#missing === 0;
  }

  /** Takes what belongs to it and hands back what comes after it. */
  take(bytes: Buffer): Buffer | undefined {
    if (this.#missing === 0) return bytes;
    const own = bytes.length > this.#missing ? bytes.subarray(0, this.#missing) : bytes;
    this.#pieces.push(own);
    this.#missing -= own.length;
    this.quietMs = 0;
    if (this.#missing === 0 && this.#resolve) this.#finish(this.#whole());
    return own.length < bytes.length ? bytes.subarray(own.length) : undefined;
  }

  #whole(): Buffer {
    const whole = Buffer.concat(this.#pieces, this.length);
    this.#pieces.length = 0;
    return whole;
  }

  /** Counts what belongs to it, and keeps nothing. */
  skip(bytes: Buffer): void {
    this.#missing = Math.max(0, this.#missing - bytes.length);
  }

  read({ bodyIdleMs }: BodyOptions): Promise<Body> {
    if (this.#missing === 0) return Promise.resolve(this.#whole());
    this.idleMs = bodyIdleMs;
    this.quietMs = 0;
    this.#seat = bodyWatch.add(this);
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  onIdle(): void {
    this.#finish(bodyLate());
  }

  leave(): void {
    this.#finish(undefined);
  }

  #finish(body: Body): void {
    const resolve = this.#resolve;
    if (!resolve) return;
    this.#resolve = undefined;
    if (this.#seat) bodyWatch.remove(this.#seat);
    resolve(body);
  }
}

export function refuseLength(length: number, { bodyBytesMax }: BodyOptions) {
  return length > bodyBytesMax ? tooLarge(bodyBytesMax) : undefined;
}
