// Node's response as a Sink. The head waits for the first bytes, so that both leave in one write
// and a whole answer gets its length. What follows is framed here, a chunk in one buffer: Node's
// response takes three writes and a tick for it. A reader that closes its side, or only its sending
// half, has left: nobody is going to read the rest.

import type { ServerResponse } from 'node:http';
import { headersIn } from '../../core/header-text.js';
import type { Sink } from '../../core/sink.js';
import { FRAMED_BYTES_MAX, framed } from './chunk.js';
import { cut } from './cut.js';

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
  /** Chunks are framed here: the head has gone out and says that they are. */
  #framing = false;
  #pending: { status: number; headers: Record<string, string>; lines: string } | undefined;
  #leaveCallbacks: (() => void)[] | undefined;

  constructor(
    readonly outgoing: ServerResponse,
    readonly requestId: string,
    /** Whether the connection is to end with this answer. */
    readonly closing: () => boolean,
  ) {
    outgoing.on('close', () => this.leave());
    outgoing.on('error', () => this.leave());
  }

  head(status: number, headers: Record<string, string>, lines = ''): void {
    this.headSent = true;
    this.#pending = { status, headers, lines };
    process.nextTick(flushHead, this);
  }

  write(bytes: Uint8Array): boolean {
    if (this.left || this.#ended) return true;
    const { socket } = this.outgoing;
    const { length } = bytes;
    // An empty chunk would be the end.
    if (this.#framing && socket?.writable && length > 0 && length <= FRAMED_BYTES_MAX) {
      return socket.write(framed(bytes));
    }
    this.#writeHead();
    const flowing = this.outgoing.write(bytes);
    if (!this.#framing) flattenHead(this.outgoing);
    this.#framing = this.outgoing.chunkedEncoding;
    return flowing;
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
    if (this.outgoing.socket) cut(this.outgoing.socket);
  }

  onDrain(callback: () => void): void {
    // Node's response tells only of what was written through it.
    const { outgoing } = this;
    (outgoing.writableNeedDrain ? outgoing : (outgoing.socket ?? outgoing)).once('drain', callback);
  }

  onLeave(callback: () => void): void {
    if (this.left) callback();
    else if (this.#leaveCallbacks) this.#leaveCallbacks.push(callback);
    else this.#leaveCallbacks = [callback];
  }

  leave(): void {
    if (this.left || this.#ended) return;
    this.left = true;
    const callbacks = this.#leaveCallbacks ?? [];
    this.#leaveCallbacks = undefined;
    for (const callback of callbacks) callback();
  }

  /** Sends a head that no bytes have taken along. */
  flush(): void {
    if (!this.#pending || this.left) return;
    this.#writeHead();
    this.outgoing.flushHeaders();
  }

  #writeHead(length?: number): void {
    if (!this.#pending || this.left) return;
    const { status, headers, lines } = this.#pending;
    Object.assign(headers, headersIn(lines));
    this.#pending = undefined;
    if (this.closing()) headers.connection = 'close';
    headers['x-request-id'] ??= this.requestId;
    if (length !== undefined) headers['content-length'] ??= String(length);
    this.outgoing.writeHead(status, headers);
  }
}

// Node keeps the head that it wrote, as a rope of a hundred strings; one is a quarter of that.
function flattenHead(outgoing: ServerResponse & { _header?: string }): void {
  outgoing._header?.charCodeAt(0);
}

function flushHead(sink: ResponseSink): void {
  sink.flush();
}
