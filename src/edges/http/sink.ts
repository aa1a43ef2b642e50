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
  headersAlways: () => Record<string, string>,
): NodeSink {
  let pending: { status: number; headers: Record<string, string> } | undefined;
  let headSent = false;
  let ended = false;
  let left = false;
  const leaveCallbacks: (() => void)[] = [];

  const leave = (): void => {
    if (left || ended) return;
    left = true;
    for (const callback of leaveCallbacks.splice(0)) callback();
  };
  outgoing.on('close', leave);
  outgoing.on('error', leave);

  const writeHead = (length?: number): void => {
    if (!pending || left) return;
    const { status, headers } = pending;
    pending = undefined;
    const all: Record<string, string> = { ...headers, ...headersAlways() };
    all['x-request-id'] ??= requestId;
    if (length !== undefined && !('content-length' in all)) all['content-length'] = String(length);
    outgoing.writeHead(status, all);
  };
  const flushHead = (): void => {
    if (!pending || left) return;
    writeHead();
    outgoing.flushHeaders();
  };
  return {
    head(status, headers) {
      headSent = true;
      pending = { status, headers };
      process.nextTick(flushHead);
    },
    write(bytes) {
      if (left || ended) return true;
      writeHead();
      return outgoing.write(bytes);
    },
    end(bytes) {
      if (left || ended) return;
      ended = true;
      writeHead(bytes?.length ?? 0);
      outgoing.end(bytes);
    },
    destroy() {
      if (ended) return;
      ended = true;
      writeHead();
      cut(outgoing);
    },
    onDrain: (callback) => outgoing.once('drain', callback),
    onLeave(callback) {
      if (left) callback();
      else leaveCallbacks.push(callback);
    },
    leave,
    get headSent() {
      return headSent;
    },
    get left() {
      return left;
    },
  };
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
