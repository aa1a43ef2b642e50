// One request on the lane and its answer, as an exchange and as its own sink. The head waits for
// the first bytes, so that both leave in one write; small pieces go out as one text each, because
// one write costs more than copying them. A reader that closes its sending half has left.

import type { Operation } from '../../../core/call.js';
import type { Sink } from '../../../core/sink.js';
import { FRAMED_BYTES_MAX, framed } from '../chunk.js';
import type { Body, BodyOptions, Exchange } from '../exchange.js';
import type { Said } from '../headers.js';
import { isBodiless } from './answer-head.js';
import { LaneBody, refuseLength } from './body.js';
import type { LaneHead } from './head.js';

/** What an exchange asks of its connection. */
export interface Line {
  readonly draining: boolean;
  /** `lines`: more headers, as they are on the wire. */
  headText(
    status: number,
    headers: Record<string, string>,
    lines: string,
    chunked: boolean,
    keepAlive: boolean,
  ): string;
  write(bytes: Uint8Array): boolean;
  writeText(text: string): boolean;
  /** `last`: as with `finish`. */
  writeParts(before: string, bytes: Uint8Array, after: string, last: boolean): boolean;
  /** The last of an answer; the next request's turn comes when it has gone out. */
  finish(text: string): void;
  cut(): void;
  /**
   * Reads on a little after an answer to a request that was not read to its end, so that what the
   * client still sends does not turn the close into a reset that would take the answer with it.
   */
  linger(): void;
}

const END = '0\r\n\r\n';
// Longer pieces are not copied.
const COPY_BYTES_MAX = 8 * 1024;

export class LaneExchange implements Exchange, Sink {
  operation: Operation | undefined = undefined;
  headSent = false;
  left = false;
  readonly #line: Line;
  readonly #head: LaneHead;
  /** Whole, or as it comes. */
  #body: Buffer | LaneBody;
  #bodyAsked = false;
  #status = 0;
  /** Of a head that no bytes have taken along. */
  #headers: Record<string, string> | undefined = undefined;
  #lines = '';
  #chunked = false;
  #bodiless = false;
  #wrote = false;
  #ended = false;
  #leaveCallbacks: (() => void)[] | undefined = undefined;
  #drainCallbacks: (() => void)[] | undefined = undefined;

  constructor(
    line: Line,
    head: LaneHead,
    body: Buffer | LaneBody,
    readonly requestId: string,
    readonly arrivedMs: number,
  ) {
    this.#line = line;
    this.#head = head;
    this.#body = body;
  }

  get method(): string {
    return 'POST';
  }

  get url(): string {
    return this.#head.url;
  }

  get path(): string {
    return this.#head.path;
  }

  get said(): Said {
    return this.#head.said;
  }

  /** Whether nothing is to be added to its answer. */
  get ended(): boolean {
    return this.#ended;
  }

  get answered(): boolean {
    return this.#wrote || this.left || this.#ended;
  }

  draining(): boolean {
    return this.#line.draining;
  }

  readBody(options: BodyOptions): Body | Promise<Body> {
    const { said, length } = this.#head;
    const refused = said.bodyRefused ?? refuseLength(length, options);
    if (refused || this.left) return refused;
    this.#bodyAsked = true;
    const body = this.#body;
    if (body instanceof LaneBody) return body.read(options);
    // A stream lives long and must not keep the body of its request.
    this.#body = NOTHING;
    return body;
  }

  /** The part of the body that its connection has read; hands back what comes after it. */
  takeBody(bytes: Buffer): Buffer | undefined {
    return this.#body instanceof LaneBody ? this.#body.take(bytes) : bytes;
  }

  /** Nobody is going to ask for what comes of the body. */
  skipBody(bytes: Buffer): void {
    if (this.#body instanceof LaneBody) this.#body.skip(bytes);
  }

  get bodyWhole(): boolean {
    return !(this.#body instanceof LaneBody) || this.#body.whole;
  }

  bodyLate(): void {
    if (this.#body instanceof LaneBody) this.#body.onIdle();
  }

  sink(): Sink {
    return this;
  }

  answer(status: number, headers: Record<string, string>, body: string | Buffer): void {
    if (this.answered) return;
    const read = this.#head.length === 0 || (this.#bodyAsked && this.bodyWhole);
    if (!read) headers.connection = 'close';
    this.headSent = true;
    this.#status = status;
    this.#headers = headers;
    this.#endWhole(typeof body === 'string' ? Buffer.from(body) : body, this.bodyWhole);
    if (!this.bodyWhole) this.#line.linger();
  }

  head(status: number, headers: Record<string, string>, lines = ''): void {
    this.headSent = true;
    this.#status = status;
    this.#headers = headers;
    this.#lines = lines;
    process.nextTick(flushHead, this);
  }

  write(bytes: Uint8Array): boolean {
    if (this.left || this.#ended) return true;
    if (this.#chunked && bytes.length > 0 && bytes.length <= FRAMED_BYTES_MAX && !this.#headers) {
      return this.#line.write(framed(bytes));
    }
    const before = this.#headText(undefined);
    if (this.#bodiless || bytes.length === 0) return this.#line.writeText(before);
    if (!this.#chunked) return this.#send(before, bytes, '');
    return this.#send(`${before}${bytes.length.toString(16)}\r\n`, bytes, '\r\n');
  }

  end(bytes?: Uint8Array): void {
    if (this.left || this.#ended) return;
    const last = bytes ?? NOTHING;
    if (this.#headers) return this.#endWhole(last, true);
    this.#ended = true;
    if (this.#bodiless) this.#line.finish('');
    else if (!this.#chunked) {
      this.#send('', last, '');
      this.#line.finish('');
    } else if (last.length === 0) this.#line.finish(END);
    else if (last.length > COPY_BYTES_MAX) {
      this.#line.writeParts(`${last.length.toString(16)}\r\n`, last, `\r\n${END}`, true);
    } else {
      const size = last.length.toString(16);
      this.#line.finish(`${size}\r\n${latin1(last)}\r\n${END}`);
    }
  }

  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#headers = undefined;
    this.#line.cut();
  }

  onDrain(callback: () => void): void {
    this.#drainCallbacks ??= [];
    this.#drainCallbacks.push(callback);
  }

  drained(): void {
    const callbacks = this.#drainCallbacks;
    this.#drainCallbacks = undefined;
    if (callbacks) for (const callback of callbacks) callback();
  }

  onLeave(callback: () => void): void {
    if (this.left) callback();
    else {
      this.#leaveCallbacks ??= [];
      this.#leaveCallbacks.push(callback);
    }
  }

  leave(): void {
    if (this.left || this.#ended) return;
    this.left = true;
    if (this.#body instanceof LaneBody) this.#body.leave();
    const callbacks = this.#leaveCallbacks;
    this.#leaveCallbacks = undefined;
    if (callbacks) for (const callback of callbacks) callback();
  }

  /** Sends a head that no bytes have taken along. */
  flush(): void {
    if (this.#headers && !this.left) this.#line.writeText(this.#headText(undefined));
  }

  // A whole answer: head and body in one write, where the body is small. `last`: nothing is to be
  // waited for after it.
  #endWhole(body: Uint8Array, last: boolean): void {
    const head = this.#headText(body.length);
    this.#ended = true;
    const line = this.#line;
    if (this.#bodiless || body.length <= COPY_BYTES_MAX) {
      const text = this.#bodiless ? head : head + latin1(body);
      if (last) line.finish(text);
      else line.writeText(text);
      return;
    }
    line.writeParts(head, body, '', last);
  }

  #send(before: string, bytes: Uint8Array, after: string): boolean {
    if (bytes.length > COPY_BYTES_MAX) return this.#line.writeParts(before, bytes, after, false);
    return this.#line.writeText(before + latin1(bytes) + after);
  }

  /** The head, if it has not gone out; `length` of the body, where the answer is whole. */
  #headText(length: number | undefined): string {
    const headers = this.#headers;
    if (!headers) return '';
    this.#headers = undefined;
    const status = this.#status;
    this.#bodiless = isBodiless(status);
    if (this.#line.draining) headers.connection = 'close';
    headers['x-request-id'] ??= this.requestId;
    if (length !== undefined && !this.#bodiless) headers['content-length'] ??= String(length);
    this.#chunked = !this.#bodiless && headers['content-length'] === undefined;
    const { keepAlive } = this.#head;
    const text = this.#line.headText(status, headers, this.#lines, this.#chunked, keepAlive);
    // A stream lives long.
    this.#lines = '';
    this.#wrote = true;
    return text;
  }
}

const NOTHING = Buffer.alloc(0);

function latin1(bytes: Uint8Array): string {
  if (Buffer.isBuffer(bytes)) return bytes.toString('latin1');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function flushHead(exchange: LaneExchange): void {
  exchange.flush();
}
