// Reads a whole (not streamed) answer, so that its cost stands in its headers. One that is larger
// than the cap is passed on as it comes and charged at its bound.

import type { Sink } from '../../core/sink.js';
import type { UpstreamFailure } from '../../core/upstream.js';
import type { Consumer, Exchange } from './exchange.js';

export type AnswerEnd =
  | { kind: 'whole'; body: Buffer }
  | { kind: 'passed_on' }
  | { kind: 'died'; failure: UpstreamFailure };

/** At once where all of it has come. */
export function readAnswer(
  exchange: Exchange,
  sink: Sink,
  bytesMax: number,
  writeHead: () => void,
): AnswerEnd | Promise<AnswerEnd> {
  const reader = new WholeReader(exchange, sink, bytesMax, writeHead);
  exchange.attach(reader);
  return reader.end();
}

class WholeReader implements Consumer {
  readonly #exchange: Exchange;
  readonly #sink: Sink;
  readonly #bytesMax: number;
  readonly #writeHead: () => void;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #passing = false;
  #end: AnswerEnd | undefined = undefined;
  #fault: { error: unknown } | undefined = undefined;
  #settle: (() => void) | undefined = undefined;

  constructor(exchange: Exchange, sink: Sink, bytesMax: number, writeHead: () => void) {
    this.#exchange = exchange;
    this.#sink = sink;
    this.#bytesMax = bytesMax;
    this.#writeHead = writeHead;
  }

  end(): AnswerEnd | Promise<AnswerEnd> {
    const ended = this.#ended();
    if (ended) return ended;
    return new Promise((resolve, reject) => {
      this.#settle = () => {
        if (this.#fault) reject(this.#fault.error);
        else if (this.#end) resolve(this.#end);
      };
    });
  }

  onBytes(chunk: Buffer): void {
    try {
      this.#take(chunk);
    } catch (error) {
      this.#fail(error);
    }
  }

  onEnd(): void {
    const [first, second] = this.#chunks;
    if (this.#passing) this.#finish({ kind: 'passed_on' });
    else if (first && !second) this.#finish({ kind: 'whole', body: first });
    else this.#finish({ kind: 'whole', body: Buffer.concat(this.#chunks) });
  }

  onFail(failure: UpstreamFailure): void {
    this.#finish({ kind: 'died', failure });
  }

  #take(chunk: Buffer): void {
    if (this.#passing) return this.#pass(chunk);
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#bytesMax) return;
    this.#passing = true;
    this.#writeHead();
    for (const early of this.#chunks.splice(0)) this.#pass(early);
  }

  #pass(chunk: Buffer): void {
    if (this.#sink.write(chunk)) return;
    this.#exchange.pause();
    this.#sink.onDrain(() => this.#exchange.resume());
  }

  #ended(): AnswerEnd | undefined {
    if (this.#fault) throw this.#fault.error;
    return this.#end;
  }

  #finish(end: AnswerEnd): void {
    this.#end ??= end;
    this.#settle?.();
  }

  // A fault of ours is the call's, not the wire's.
  #fail(error: unknown): void {
    this.#fault ??= { error };
    this.#settle?.();
  }
}
