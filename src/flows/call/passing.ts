// Lets a stream's events through the gate, in order. While the hold surely covers what comes, whole
// chunks pass; near its end the chunk is taken line by line, so that a cut falls between two
// events; and while the ledger is asked, what comes meanwhile waits.

import type { StreamReader } from '../../core/dialect.js';
import type { Gate } from './gate.js';

export interface Passing {
  take(chunk: Buffer): void;
  /** Calls back once nothing waits any more; at once if nothing does. */
  afterAll(callback: () => void): void;
}

export interface PassingHooks {
  pass(pieces: readonly Buffer[]): void;
  pause(): void;
  resume(): void;
  /** The event that was read last does not fit: it and all after it stay here. */
  cut(): void;
  fail(error: unknown): void;
}

const LINE_END = 10;

export function createPassing(reader: StreamReader, gate: Gate, hooks: PassingHooks): Passing {
  const queue: Buffer[] = [];
  let waiting = false;
  let closed = false;
  let last: (() => void) | undefined;

  const judge = (pieces: readonly Buffer[], rest: Buffer): boolean => {
    const verdict = gate.admit();
    if (verdict === true) {
      hooks.pass(pieces);
      return true;
    }
    if (verdict === false) {
      closed = true;
      hooks.cut();
      return false;
    }
    waiting = true;
    hooks.pause();
    if (rest.length > 0) queue.unshift(rest);
    verdict.then((fits) => goOn(pieces, fits)).catch(hooks.fail);
    return false;
  };
  const goOn = (pieces: readonly Buffer[], fits: boolean): void => {
    waiting = false;
    if (!fits) {
      closed = true;
      hooks.cut();
      return;
    }
    hooks.pass(pieces);
    while (!waiting && !closed && queue.length > 0) feed(queue.shift() as Buffer);
    if (waiting || closed) return;
    hooks.resume();
    last?.();
  };
  const feed = (chunk: Buffer): void => {
    if (gate.isSafe(chunk.length)) return hooks.pass(reader.push(chunk));
    let from = 0;
    while (from < chunk.length) {
      const end = chunk.indexOf(LINE_END, from);
      const to = end < 0 ? chunk.length : end + 1;
      const pieces = reader.push(chunk.subarray(from, to));
      from = to;
      // A usage event or the terminator is held back: it costs nothing and is judged with no one.
      if (pieces.length === 0) {
        if (reader.terminated) hooks.pass(pieces);
        continue;
      }
      if (!judge(pieces, chunk.subarray(from))) return;
    }
  };
  return {
    take(chunk) {
      if (closed) return;
      if (waiting) queue.push(chunk);
      else feed(chunk);
    },
    afterAll(callback) {
      if (closed) return;
      if (waiting) last = callback;
      else callback();
    },
  };
}
