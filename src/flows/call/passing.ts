// Lets a stream's events through the gate, in order. While the hold surely covers what comes, whole
// chunks pass; near its end the chunk is taken event by event, so that a cut falls between two of
// them; and while the ledger is asked, what comes meanwhile waits.

import type { StreamReader } from '../../core/dialect.js';
import type { Gate } from './gate.js';

export interface PassingHooks {
  pass(pieces: readonly Buffer[]): void;
  pause(): void;
  resume(): void;
  /** The event that was read last does not fit: it and all after it stay here. */
  cut(): void;
  fail(error: unknown): void;
}

const LF = 10;
const CR = 13;

export class Passing {
  readonly #reader: StreamReader;
  readonly #gate: Gate;
  readonly #hooks: PassingHooks;
  readonly #queue: Buffer[] = [];
  #waiting = false;
  #closed = false;
  #last: (() => void) | undefined;

  constructor(reader: StreamReader, gate: Gate, hooks: PassingHooks) {
    this.#reader = reader;
    this.#gate = gate;
    this.#hooks = hooks;
  }

  take(chunk: Buffer): void {
    if (this.#closed) return;
    if (this.#waiting) this.#queue.push(chunk);
    else this.#feed(chunk);
  }

  /** Calls back once nothing waits any more; at once if nothing does. */
  afterAll(callback: () => void): void {
    if (this.#closed) return;
    if (this.#waiting) this.#last = callback;
    else callback();
  }

  /** Nobody is going to get what waits; it is read for what it costs. */
  readRest(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const chunk of this.#queue.splice(0)) this.#reader.push(chunk);
  }

  #feed(chunk: Buffer): void {
    if (this.#gate.isSafe(chunk.length)) return this.#hooks.pass(this.#reader.push(chunk));
    let cr = chunk.indexOf(CR);
    let from = 0;
    while (from < chunk.length) {
      if (cr >= 0 && cr < from) cr = chunk.indexOf(CR, from);
      const to = cr >= 0 ? lineEnd(chunk, from, cr) : eventEnd(chunk, from);
      const isAll = from === 0 && to === chunk.length;
      const pieces = this.#reader.push(isAll ? chunk : chunk.subarray(from, to));
      from = to;
      if (pieces.length > 0) {
        if (!this.#judge(pieces, from < chunk.length ? chunk.subarray(from) : undefined)) return;
      } else if (this.#reader.terminated) {
        // The terminator is held back: it costs nothing and is judged by no one.
        this.#hooks.pass(pieces);
      }
    }
  }

  #judge(pieces: readonly Buffer[], rest: Buffer | undefined): boolean {
    const verdict = this.#gate.admit();
    if (verdict === true) {
      this.#hooks.pass(pieces);
      return true;
    }
    if (verdict === false) {
      this.#cut();
      return false;
    }
    this.#waiting = true;
    this.#hooks.pause();
    if (rest) this.#queue.unshift(rest);
    verdict.then((fits) => this.#goOn(pieces, fits)).catch(this.#hooks.fail);
    return false;
  }

  #goOn(pieces: readonly Buffer[], fits: boolean): void {
    this.#waiting = false;
    if (this.#closed) return;
    if (!fits) return this.#cut();
    this.#hooks.pass(pieces);
    while (!this.#waiting && !this.#closed && this.#queue.length > 0) {
      this.#feed(this.#queue.shift() as Buffer);
    }
    if (this.#waiting || this.#closed) return;
    this.#hooks.resume();
    this.#last?.();
  }

  #cut(): void {
    this.#closed = true;
    this.#hooks.cut();
  }
}

// Lines end with CR, LF or CRLF; `cr` is the next CR.
function lineEnd(chunk: Buffer, from: number, cr: number): number {
  const lf = chunk.indexOf(LF, from);
  if (lf >= 0 && lf < cr) return lf + 1;
  return lf === cr + 1 ? lf + 1 : cr + 1;
}

// Up to here at most one event ends, and if one does, here, as long as there is no CR: the first
// byte may end an event that had begun before, else a blank line does.
function eventEnd(chunk: Buffer, from: number): number {
  if (chunk[from] === LF) return from + 1;
  let end = chunk.indexOf(LF, from);
  while (end >= 0 && end + 1 < chunk.length) {
    if (chunk[end + 1] === LF) return end + 2;
    end = chunk.indexOf(LF, end + 1);
  }
  return chunk.length;
}
