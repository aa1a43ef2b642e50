// One connection in front of Node's server. Requests of the plain kind are answered here, one after
// another; at the first that is not, the connection with all its bytes goes to Node for good.

import type { Socket } from 'node:net';
import { refuse } from '../../../core/errors.js';
import { uuidV7 } from '../../../core/id.js';
import type { Seat } from '../../../core/roster.js';
import type { Waiting } from '../../../drivers/idle-watch.js';
import { cut } from '../cut.js';
import { fail } from '../exchange.js';
import { LINGER } from '../limits.js';
import { answerRawProblem } from '../raw-answer.js';
import { LaneBody } from './body.js';
import { LaneExchange, type Line } from './exchange.js';
import { KnownHead, type LaneHead, readHead } from './head.js';
import type { LaneParts, Open } from './parts.js';

// Of requests that wait for the answer before them.
const REST_BYTES_MAX = 16 * 1024;

export class LaneConnection implements Waiting, Line, Open {
  idleMs: number;
  quietMs = 0;
  readonly #socket: Socket;
  readonly #parts: LaneParts;
  readonly #handOver: (socket: Socket) => void;
  readonly #seat: Seat;
  readonly #watchSeat: Seat;
  #known: KnownHead | undefined = undefined;
  #served = 0;
  #exchange: LaneExchange | undefined = undefined;
  /** Bytes after the request that is being answered. */
  #rest: Buffer | undefined = undefined;
  /** Whether it ends after the answer that goes out. */
  #closes = false;
  #clientEnded = false;
  #lingered: number | undefined = undefined;

  constructor(socket: Socket, parts: LaneParts, handOver: (socket: Socket) => void) {
    this.#socket = socket;
    this.#parts = parts;
    this.#handOver = handOver;
    this.idleMs = parts.limits.headersTimeoutMs;
    this.#seat = parts.connections.add(this);
    this.#watchSeat = parts.watch.add(this, parts.idleMsMin);
    socket.on('data', this.#onData);
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  get draining(): boolean {
    return this.#parts.traffic.draining;
  }

  get idle(): boolean {
    return this.#exchange === undefined && this.#served > 0;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  onIdle(): void {
    this.#wait(Number.POSITIVE_INFINITY);
    if (this.#exchange) this.#exchange.bodyLate();
    else if (this.#served > 0) this.#socket.destroy();
    else answerRawProblem(this.#socket, LATE);
  }

  headText(
    status: number,
    headers: Record<string, string>,
    lines: string,
    chunked: boolean,
    keepAlive: boolean,
  ): string {
    this.#closes = !keepAlive || headers.connection === 'close';
    return this.#parts.heads.text(status, headers, lines, this.#closes, chunked);
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  writeText(text: string): boolean {
    if (text === '') return !this.#socket.writableNeedDrain;
    return this.#socket.write(text, 'latin1');
  }

  writeParts(before: string, bytes: Uint8Array, after: string, last: boolean): boolean {
    const socket = this.#socket;
    socket.cork();
    if (before !== '') socket.write(before, 'latin1');
    const done = last ? this.#onFlushed : undefined;
    let flowing = socket.write(bytes, after === '' ? done : undefined);
    if (after !== '') flowing = socket.write(after, 'latin1', done);
    socket.uncork();
    return flowing;
  }

  finish(text: string): void {
    this.#socket.write(text, 'latin1', this.#onFlushed);
  }

  cut(): void {
    cut(this.#socket);
  }

  linger(): void {
    this.#lingered = 0;
    const timer = setTimeout(() => this.#socket.destroySoon(), LINGER.ms).unref();
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.resume();
  }

  readonly #onData = (bytes: Buffer): void => {
    const exchange = this.#exchange;
    if (!exchange) return this.#begin(bytes);
    if (this.#lingered !== undefined) return this.#readOn(exchange, bytes, this.#lingered);
    if (exchange.bodyWhole) return this.#keep(bytes);
    const rest = exchange.takeBody(bytes);
    if (exchange.bodyWhole) this.#wait(Number.POSITIVE_INFINITY);
    if (rest) this.#keep(rest);
  };

  readonly #onDrain = (): void => this.#exchange?.drained();

  // The client has closed its sending half: as far as a call is concerned it has gone.
  readonly #onEnd = (): void => {
    this.#clientEnded = true;
    const exchange = this.#exchange;
    if (!exchange || exchange.ended) return this.#socket.destroySoon();
    const cutShort = !exchange.bodyWhole && !exchange.answered;
    exchange.leave();
    if (cutShort) answerRawProblem(this.#socket, CUT_SHORT);
    else cut(this.#socket);
  };

  readonly #onError = (): void => {
    this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#forget();
    const exchange = this.#exchange;
    if (!exchange) return;
    this.#exchange = undefined;
    exchange.leave();
    this.#parts.traffic.ended();
  };

  readonly #onFlushed = (error?: Error | null): void => {
    if (error || !this.#exchange || this.#socket.destroyed) return;
    this.#exchange = undefined;
    this.#parts.traffic.ended();
    if (this.#closes || this.#clientEnded || this.draining) return this.#socket.destroySoon();
    this.#wait(this.#parts.limits.keepAliveMs);
    const rest = this.#rest;
    if (!rest) return;
    this.#rest = undefined;
    this.#socket.resume();
    this.#begin(rest);
  };

  #begin(bytes: Buffer): void {
    const { doors, limits } = this.#parts;
    if (this.#clientEnded || this.#socket.destroyed) return;
    const known = this.#known?.match(bytes);
    const head = known ?? readHead(bytes, doors, limits);
    if (!head) return this.#leaveToNode(bytes);
    // Most connections of a test or a script ask once: their heads are not kept.
    if (!known && this.#served > 0) this.#known = new KnownHead(head, bytes);
    this.#served += 1;
    const bodyEnd = head.bytes + head.length;
    const whole = bytes.length >= bodyEnd;
    const own = bytes.subarray(head.bytes, bodyEnd);
    if (bytes.length > bodyEnd) this.#keep(bytes.subarray(bodyEnd));
    this.#wait(whole ? Number.POSITIVE_INFINITY : limits.requestTimeoutMs);
    this.#serve(head, whole ? own : new LaneBody(head.length, own));
  }

  #serve(head: LaneHead, body: Buffer | LaneBody): void {
    const { clock, log, traffic } = this.#parts;
    const requestId = head.said.requestId ?? uuidV7(clock.nowMs());
    const exchange = new LaneExchange(this, head, body, requestId, clock.elapsedMs());
    this.#exchange = exchange;
    traffic.began();
    head.door(exchange).catch((error: unknown) => fail(exchange, error, log));
  }

  #keep(bytes: Buffer): void {
    this.#rest = this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes;
    if (this.#rest.length > REST_BYTES_MAX) this.#socket.pause();
  }

  #readOn(exchange: LaneExchange, bytes: Buffer, lingered: number): void {
    exchange.skipBody(bytes);
    this.#lingered = lingered + bytes.length;
    if (exchange.bodyWhole || this.#lingered > LINGER.bytesMax) this.#socket.destroySoon();
  }

  #wait(idleMs: number): void {
    this.idleMs = idleMs;
    this.quietMs = 0;
  }

  #forget(): void {
    this.#parts.connections.remove(this.#seat);
    this.#parts.watch.remove(this.#watchSeat);
  }

  #leaveToNode(bytes: Buffer): void {
    const socket = this.#socket;
    this.#forget();
    socket.off('data', this.#onData);
    socket.off('drain', this.#onDrain);
    socket.off('end', this.#onEnd);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    this.#handOver(socket);
    // Node's listeners are on by now: to them these are the first bytes that came.
    socket.emit('data', bytes);
  }
}

const LATE = refuse('request_timeout', 'The request did not arrive in time.').refused;
const CUT_SHORT = refuse('bad_request', 'This is not a well-formed HTTP/1.1 request.').refused;
