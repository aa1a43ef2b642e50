// Reads a request's body up to a cap: refused before the first byte if the announced length is
// over it, at the first byte over it otherwise, and when nothing comes for too long.

import type { IncomingMessage } from 'node:http';
import { type Refused, refuse } from '../../core/errors.js';
import { type Exchange, hasBody } from './exchange.js';

export interface BodyOptions {
  bodyBytesMax: number;
  /** The longest wait for the next bytes. */
  bodyIdleMs: number;
}

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
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const finish = (value: Buffer | Refused | undefined): void => {
      clearTimeout(idle);
      incoming.off('data', onBytes);
      incoming.pause();
      resolve(value);
    };
    const idle = setTimeout(
      () => finish(refuse('request_timeout', 'The body did not arrive in time.')),
      options.bodyIdleMs,
    ).unref();
    const onBytes = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > options.bodyBytesMax) {
        finish(tooLarge(options.bodyBytesMax));
      } else {
        chunks.push(chunk);
        idle.refresh();
      }
    };
    incoming.on('data', onBytes);
    incoming.once('end', () => finish(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    incoming.once('error', () => finish(undefined));
    incoming.once('close', () => finish(undefined));
  });
}

function tooLarge(bytesMax: number): Refused {
  return refuse('body_too_large', `The body is larger than ${bytesMax} bytes.`);
}
