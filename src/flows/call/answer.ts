// Reads a whole (not streamed) answer, so that its cost stands in its headers. One that is larger
// than the cap is passed on as it comes and charged at its bound.

import type { Sink } from '../../core/sink.js';
import type { UpstreamFailure } from '../../core/upstream.js';
import { type Consumer, type Exchange, guarded } from './exchange.js';

export type AnswerEnd =
  | { kind: 'whole'; body: Buffer }
  | { kind: 'passed_on' }
  | { kind: 'died'; failure: UpstreamFailure };

export function readAnswer(
  exchange: Exchange,
  sink: Sink,
  bytesMax: number,
  writeHead: () => void,
): Promise<AnswerEnd> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let passing = false;
    const pass = (chunk: Buffer): void => {
      if (sink.write(chunk)) return;
      exchange.pause();
      sink.onDrain(() => exchange.resume());
    };
    const consumer: Consumer = {
      onBytes(chunk) {
        if (passing) return pass(chunk);
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes <= bytesMax) return;
        passing = true;
        writeHead();
        for (const early of chunks.splice(0)) pass(early);
      },
      onEnd: () =>
        resolve(passing ? { kind: 'passed_on' } : { kind: 'whole', body: Buffer.concat(chunks) }),
      onFail: (failure) => resolve({ kind: 'died', failure }),
    };
    exchange.attach(guarded(consumer, reject));
  });
}
