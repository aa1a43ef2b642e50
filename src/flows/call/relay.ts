// Passes a stream on: whole events go out unchanged in the tick they came, a slow reader pauses
// the upstream, and the terminator is left to whoever ends the call once it is written down.

import type { Clock } from '../../core/clock.js';
import type { StreamReader } from '../../core/dialect.js';
import type { Sink } from '../../core/sink.js';
import type { UpstreamFailure } from '../../core/upstream.js';
import { type Consumer, type Exchange, guarded } from './exchange.js';
import type { Gate } from './gate.js';
import { createPassing } from './passing.js';

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
    let over = false;
    let started = false;
    let stopStall: (() => void) | undefined;

    const finish = (end: StreamEnd): void => {
      if (over) return;
      over = true;
      stopStall?.();
      // What is left of the upstream must flow off, or its socket would stay paused for ever.
      exchange.resume();
      resolve(end);
    };
    const slow = (): void => {
      if (stopStall) return;
      exchange.pause();
      stopStall = options.clock.after(options.writeStallMs, () => {
        finish({ kind: 'client_left' });
        exchange.abort();
        sink.destroy();
      });
      sink.onDrain(() => {
        stopStall?.();
        stopStall = undefined;
        exchange.resume();
      });
    };
    const send = (pieces: readonly Buffer[]): void => {
      if (pieces.length === 0) return;
      if (!started) options.onFirstByte();
      started = true;
      let flowing = true;
      for (const piece of pieces) flowing = sink.write(piece) && flowing;
      if (!flowing) slow();
    };
    const passing = createPassing(reader, options.gate, {
      pass(pieces) {
        if (over) return;
        send(pieces);
        if (reader.terminated) finish({ kind: 'complete' });
      },
      pause: () => exchange.pause(),
      resume: () => {
        if (!stopStall) exchange.resume();
      },
      cut() {
        if (over) return;
        finish({ kind: 'cut' });
        exchange.abort();
      },
      fail: reject,
    });
    const consumer: Consumer = {
      onBytes: (chunk) => {
        passing.take(chunk);
        options.onChunk();
      },
      onEnd: () =>
        passing.afterAll(() => {
          if (over) return;
          send(reader.end());
          finish(cleanEnd(reader));
        }),
      onFail(failure) {
        if (failure.kind === 'aborted' && sink.left) return finish({ kind: 'client_left' });
        passing.afterAll(() => finish({ kind: 'died', failure, message: failure.message }));
      },
    };
    exchange.attach(guarded(consumer, reject));
  });
}

// A transport that ends cleanly says nothing of whether the answer was whole: the dialect does.
function cleanEnd(reader: StreamReader): StreamEnd {
  if (reader.sawChoiceFinished) return { kind: 'complete' };
  const message = reader.failure ?? 'it ended without finish_reason';
  return { kind: 'died', failure: undefined, message };
}
