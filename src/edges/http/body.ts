// Reads a request's body up to a cap: refused before the first byte if the announced length is
// over it, at the first byte over it otherwise, and when nothing comes for too long.

import type { IncomingMessage } from 'node:http';
import { type Refused, refuse } from '../../core/errors.js';
import type { Seat } from '../../core/roster.js';
import { type Exchange, hasBody } from './exchange.js';
import { IdleWatch, type Waiting } from './idle-watch.js';

export interface BodyOptions {
  bodyBytesMax: number;
  /** The longest wait for the next bytes. */
  bodyIdleMs: number;
}

const idleWatch = new IdleWatch();
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?$/i;

/** The bytes, or why they are not taken; undefined if the client left meanwhile. */
export function readBody(
  exchange: Exchange,
  options: BodyOptions,
): Promise<Buffer | Refused | undefined> {
  const { incoming } = exchange;
  const problem = refuseBody(incoming, options.bodyBytesMax);
  if (problem) return Promise.resolve(problem);
  if (exchange.awaitsContinue) {
    exchange.awaitsContinue = false;
    exchange.outgoing.writeContinue();
  }
  return collect(incoming, options);
}

function refuseBody(incoming: IncomingMessage, bytesMax: number): Refused | undefined {
  const { headers } = incoming;
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return refuse('unsupported_content_encoding', 'Send the body as it is, not compressed.', {
      headers: { 'accept-encoding': 'identity' },
    });
  }
  if (!JSON_TYPE.test(headers['content-type'] ?? '')) {
    return refuse('unsupported_media_type', 'Send the body with "Content-Type: application/json".');
  }
  const announced = Number(headers['content-length'] ?? 0);
  return hasBody(incoming) && announced > bytesMax ? tooLarge(bytesMax) : undefined;
}

function collect(
  incoming: IncomingMessage,
  options: BodyOptions,
): Promise<Buffer | Refused | undefined> {
  return new Promise((resolve) => new Collector(incoming, options, resolve));
}

class Collector implements Waiting {
  readonly #incoming: IncomingMessage;
  readonly #options: BodyOptions;
  readonly #resolve: (value: Buffer | Refused | undefined) => void;
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

  constructor(
    incoming: IncomingMessage,
    options: BodyOptions,
    resolve: (value: Buffer | Refused | undefined) => void,
  ) {
    this.#incoming = incoming;
    this.#options = options;
    this.#resolve = resolve;
    this.idleMs = options.bodyIdleMs;
    incoming.on('data', this.#took);
    incoming.on('end', this.#ended);
    incoming.on('error', this.#left);
    incoming.on('close', this.#left);
    this.#seat = idleWatch.add(this);
  }

  onIdle(): void {
    this.#finish(refuse('request_timeout', 'The body did not arrive in time.'));
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

  #finish(value: Buffer | Refused | undefined): void {
    if (this.#over) return;
    this.#over = true;
    idleWatch.remove(this.#seat);
    // The request lives as long as its answer, and would keep the body with it.
    this.#incoming.off('data', this.#took);
    this.#incoming.off('end', this.#ended);
    this.#incoming.off('error', this.#left);
    this.#incoming.off('close', this.#left);
    this.#resolve(value);
  }
}

function tooLarge(bytesMax: number): Refused {
  return refuse('body_too_large', `The body is larger than ${bytesMax} bytes.`);
}
