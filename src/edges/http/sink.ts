// Node's response as a Sink. The head waits for the first bytes, so that both leave in one write
// and a whole answer gets its length. A reader that closes its side, or only its sending half, has
// left: nobody is going to read the rest.

import type { ServerResponse } from 'node:http';
import type { Sink } from '../../core/sink.js';

const FLUSH_MS = 5_000;

export interface NodeSink extends Sink {
  /** The connection has ended, or its sending half has. */
  leave(): void;
}

export function createSink(
  outgoing: ServerResponse,
  requestId: string,
  closing: () => boolean,
): NodeSink {
  return new ResponseSink(outgoing, requestId, closing);
}

class ResponseSink implements NodeSink {
  headSent = false;
  left = false;
  #ended = false;
  #pending: { status: number; headers: Record<string, string> } | undefined;
  readonly #leaveCallbacks: (() => void)[] = [];

  constructor(
    readonly outgoing: ServerResponse,
    readonly requestId: string,
    /** Whether the connection is to end with this answer. */
    readonly closing: () => boolean,
  ) {
    outgoing.on('close', () => this.leave());
    outgoing.on('error', () => this.leave());
  }

  head(status: number, headers: Record<string, string>): void {
    this.headSent = true;
    this.#pending = { status, headers };
    process.nextTick(flushHead, this);
  }

  write(bytes: Uint8Array): boolean {
    if (this.left || this.#ended) return true;
    this.#writeHead();
    return this.outgoing.write(bytes);
  }

  end(bytes?: Uint8Array): void {
    if (this.left || this.#ended) return;
    this.#ended = true;
    this.#writeHead(bytes?.length ?? 0);
    this.outgoing.end(bytes);
  }

  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#writeHead();
    cut(this.outgoing);
  }

  onDrain(callback: () => void): void {
    this.outgoing.once('drain', callback);
  }

  onLeave(callback: () => void): void {
    if (this.left) callback();
    else this.#leaveCallbacks.push(callback);
  }

  leave(): void {
    if (this.left || this.#ended) return;
    this.left = true;
    for (const callback of this.#leaveCallbacks.splice(0)) callback();
  }

  /** Sends a head that no bytes have taken along. */
  flush(): void {
    if (!this.#pending || this.left) return;
    this.#writeHead();
    this.outgoing.flushHeaders();
  }

  #writeHead(length?: number): void {
    if (!this.#pending || this.left) return;
    const { status, headers } = this.#pending;
    this.#pending = undefined;
    if (this.closing()) headers.connection = 'close';
    headers['x-request-id'] ??= this.requestId;
    if (length !== undefined) headers['content-length'] ??= String(length);
    this.outgoing.writeHead(status, headers);
  }
}

function flushHead(sink: ResponseSink): void {
  sink.flush();
}

// What was written still goes out, the end of the answer does not: the reader sees a broken
// transfer. A reader that takes nothing is not waited for.
function cut(outgoing: ServerResponse): void {
  const { socket } = outgoing;
  if (!socket || socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), FLUSH_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.destroySoon();
}
