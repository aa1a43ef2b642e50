// Reads a request's body up to a cap: refused before the first byte if the announced length is
// over it, at the first byte over it otherwise, and when nothing comes for too long.

import type { IncomingMessage } from 'node:http';
import { type Refused, refuse } from '../../core/errors.js';
import type { Seat } from '../../core/roster.js';
import { IdleWatch, type Waiting } from '../../drivers/idle-watch.js';
import type { Body, BodyOptions } from './exchange.js';
import type { Said } from './headers.js';

/** Looks after all bodies that are being read, whoever reads them. */
export const bodyWatch = new IdleWatch();

/** Why the body is not taken, as far as the headers tell. */
export function refuseBody(
  incoming: IncomingMessage,
  said: Said,
  options: BodyOptions,
): Refused | undefined {
  if (said.bodyRefused) return said.bodyRefused;
  const announced = Number(incoming.headers['content-length'] ?? 0);
  const over = hasBody(incoming) && announced > options.bodyBytesMax;
  return over ? tooLarge(options.bodyBytesMax) : undefined;
}

/** Whether the request announces a body. */
export function hasBody(incoming: IncomingMessage): boolean {
  const { headers } = incoming;
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length !== undefined && length !== '0';
}

export function collectBody(incoming: IncomingMessage, options: BodyOptions): Promise<Body> {
  return new Promise((resolve) => new Collector(incoming, options, resolve));
}

class Collector implements Waiting {
  readonly #incoming: IncomingMessage;
  readonly #options: BodyOptions;
  readonly #resolve: (value: Body) => void;
  #first: Buffer | undefined;
  #rest: Buffer[] | undefined;
  #bytes = 0;
  #over = false;
  readonly #seat: Seat;
  readonly #took = (chunk: Buffer): void => this.#take(chunk);
  readonly #ended = (): void => this.#finish(this.#whole());
  readonly #left = (): void => this.#finish(undefined);
  readonly idleMs: number;
  quietMs = 0;

  constructor(incoming: IncomingMessage, options: BodyOptions, resolve: (value: Body) => void) {
    this.#incoming = incoming;
    this.#options = options;
    this.#resolve = resolve;
    this.idleMs = options.bodyIdleMs;
    incoming.on('data', this.#took);
    incoming.on('end', this.#ended);
    incoming.on('error', this.#left);
    incoming.on('close', this.#left);
    this.#seat = bodyWatch.add(this);
  }

  onIdle(): void {
    this.#finish(bodyLate());
    this.#incoming.pause();
  }

  #take(chunk: Buffer): void {
    if (this.#over) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#options.bodyBytesMax) {
      this.#finish(tooLarge(this.#options.bodyBytesMax));
      this.#incoming.pause();
      return;
    }
    if (!this.#first) this.#first = chunk;
    else {
      this.#rest ??= [this.#first];
      this.#rest.push(chunk);
    }
    this.quietMs = 0;
  }

  #whole(): Buffer {
    if (this.#rest) return Buffer.concat(this.#rest);
    return this.#first ?? Buffer.alloc(0);
  }

  #finish(value: Body): void {
    if (this.#over) return;
    this.#over = true;
    bodyWatch.remove(this.#seat);
    // The request lives as long as its answer, and would keep the body with it.
    this.#incoming.off('data', this.#took);
    this.#incoming.off('end', this.#ended);
    this.#incoming.off('error', this.#left);
    this.#incoming.off('close', this.#left);
    this.#resolve(value);
  }
}

export function bodyLate(): Refused {
  return refuse('request_timeout', 'The body did not arrive in time.');
}

export function tooLarge(bytesMax: number): Refused {
  return refuse('body_too_large', `The body is larger than ${bytesMax} bytes.`);
}
