// Passes a stream on: whole events go out unchanged in the tick they came, a slow reader pauses
// the upstream, and the terminator is left to whoever ends the call once it is written down.

import type { Clock } from '../../core/clock.js';
import type { StreamReader } from '../../core/dialect.js';
import type { Sink } from '../../core/sink.js';
import type { UpstreamFailure } from '../../core/upstream.js';
import { type Consumer, type Exchange, FAILURES, guarded } from './exchange.js';
import type { Gate } from './gate.js';
import { Passing, type PassingHooks } from './passing.js';

/** How the stream ended, before its terminator. */
export type StreamEnd =
  | { kind: 'complete' }
  /** The money ended: the last event that came was not passed on. */
  | { kind: 'cut' }
  | { kind: 'died'; failure: UpstreamFailure | undefined; message: string }
  | { kind: 'client_left' };

export interface RelayOptions {
  clock: Clock;
  /** What may pass; asked event by event where the hold is nearly used. */
  gate: Gate;
  writeStallMs: number;
  /** Called before the first byte goes out; writes the head. */
  onFirstByte(): void;
  /** Called for each chunk that came, after what may go out has gone out. */
  onChunk(): void;
}

export function relayStream(
  exchange: Exchange,
  reader: StreamReader,
  sink: Sink,
  options: RelayOptions,
): Promise<StreamEnd> {
  return new Promise((resolve, reject) => {
    const relay = new Relay(exchange, reader, sink, options, resolve, reject);
    exchange.attach(guarded(relay, reject));
  });
}

class Relay implements Consumer, PassingHooks {
  readonly #exchange: Exchange;
  readonly #reader: StreamReader;
  readonly #sink: Sink;
  readonly #options: RelayOptions;
  readonly #resolve: (end: StreamEnd) => void;
  readonly fail: (error: unknown) => void;
  readonly #passing: Passing;
  #over = false;
  #started = false;
  /** Set while the reader is slow. */
  #stopStall: (() => void) | undefined;

  constructor(
    exchange: Exchange,
    reader: StreamReader,
    sink: Sink,
    options: RelayOptions,
    resolve: (end: StreamEnd) => void,
    fail: (error: unknown) => void,
  ) {
    this.#exchange = exchange;
    this.#reader = reader;
    this.#sink = sink;
    this.#options = options;
    this.#resolve = resolve;
    this.fail = fail;
    this.#passing = new Passing(reader, options.gate, this);
  }

  pause(): void {
    this.#exchange.pause();
  }

  resume(): void {
    if (!this.#stopStall) this.#exchange.resume();
  }

  cut(): void {
    this.#reader.retract();
    this.#finish({ kind: 'cut' });
    this.#exchange.abort();
  }

  onBytes(chunk: Buffer): void {
    if (this.#over) return;
    this.#passing.take(chunk);
    this.#options.onChunk();
  }

  onEnd(): void {
    this.#passing.afterAll(() => {
      if (this.#over) return;
      this.#send(this.#reader.end());
      this.#finish(cleanEnd(this.#reader));
    });
  }

  onFail(failure: UpstreamFailure): void {
    const message = FAILURES[failure.kind];
    if (failure.kind === 'aborted' && this.#sink.left) {
      this.#passing.readRest();
      this.#finish({ kind: 'client_left' });
    } else this.#passing.afterAll(() => this.#finish({ kind: 'died', failure, message }));
  }

  pass(pieces: readonly Buffer[]): void {
    if (this.#over) return;
    this.#send(pieces);
    if (this.#reader.terminated) this.#finish({ kind: 'complete' });
  }

  #send(pieces: readonly Buffer[]): void {
    if (pieces.length === 0) return;
    if (!this.#started) this.#options.onFirstByte();
    this.#started = true;
    let flowing = true;
    for (const piece of pieces) flowing = this.#sink.write(piece) && flowing;
    if (!flowing) this.#waitForReader();
  }

  #waitForReader(): void {
    if (this.#stopStall) return;
    const { clock, writeStallMs } = this.#options;
    this.#exchange.pause();
    this.#stopStall = clock.after(writeStallMs, () => {
      this.#finish({ kind: 'client_left' });
      this.#exchange.abort();
      this.#sink.destroy();
    });
    this.#sink.onDrain(() => {
      this.#stopStall?.();
      this.#stopStall = undefined;
      this.#exchange.resume();
    });
  }

  #finish(end: StreamEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#stopStall?.();
    // What is left of the upstream must flow off, or its socket would stay paused for ever.
    this.#exchange.resume();
    this.#resolve(end);
  }
}

// A transport that ends cleanly says nothing of whether the answer was whole: the dialect does.
function cleanEnd(reader: StreamReader): StreamEnd {
  if (reader.sawChoiceFinished) return { kind: 'complete' };
  const message = reader.failure ?? 'it ended without finish_reason';
  return { kind: 'died', failure: undefined, message };
}
