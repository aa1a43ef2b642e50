// One call to an upstream, from the request to its one ending, and the clocks of its waits: for a
// connection, for the first byte of the body, for more.

import type {
  UpstreamCall,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from '../core/upstream.js';
import { writeRequestHead } from './request-head.js';
import type { BrokenKind, Connection, ConnectionUser } from './upstream-connection.js';

type Kind = UpstreamFailure['kind'];

const NOW = Promise.resolve();

export class Exchange implements UpstreamCall, ConnectionUser {
  readonly #handler: UpstreamHandler;
  readonly #release: (reusable: boolean) => void;
  #connection: Connection | undefined;
  #starting = true;
  #ended = false;
  #sent = false;
  #bytesSeen = 0;
  /** As the answer announces; infinite where it does not. */
  #bytesMost = Number.POSITIVE_INFINITY;
  #paused = false;
  #idleTimeoutMs = 0;
  #connectTimer: NodeJS.Timeout | undefined;
  #firstByteTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(handler: UpstreamHandler, release: (reusable: boolean) => void) {
    this.#handler = handler;
    this.#release = release;
  }

  /** Sends the request over `connection`; nothing of it is kept. */
  start(
    connection: Connection,
    address: { host: string; path: string },
    request: UpstreamRequest,
  ): void {
    const { method, headers, body, connectTimeoutMs, firstByteTimeoutMs } = request;
    this.#idleTimeoutMs = request.idleTimeoutMs;
    const parts = body ?? [];
    const head = writeRequestHead(method, address, headers, body === null ? null : sizeOf(parts));
    if (head === undefined) {
      this.#fail('protocol', 'a header of the request may not be written', true);
      return;
    }
    this.#connection = connection;
    this.#firstByteTimer = this.#timer(firstByteTimeoutMs, 'first_byte_timeout', 'no answer');
    connection.request(this, head, parts);
    this.#starting = false;
    // A connection that was kept is used at once, and nothing is left to wait for.
    if (this.#sent || this.#ended) return;
    this.#connectTimer = this.#timer(connectTimeoutMs, 'connect_timeout', 'no connection');
  }

  pause(): void {
    // Its connection is another call's by then.
    if (this.#ended) return;
    this.#paused = true;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    this.#connection?.hold();
  }

  resume(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    if (this.#bytesSeen > 0) this.#armIdle();
    this.#connection?.resume();
  }

  abort(): void {
    this.#fail('aborted', 'aborted', true);
  }

  onWritten(): void {
    this.#sent = true;
    clearTimeout(this.#connectTimer);
    this.#connectTimer = undefined;
    // `queueMicrotask` would make an async resource for it, which costs more than the request.
    if (this.#starting) void NOW.then(() => this.#tellSent());
    else this.#tellSent();
  }

  onHead(status: number, headers: Record<string, string>): void {
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      this.#fail('protocol', `the answer is compressed (${encoding}) though not asked to be`);
      return;
    }
    const length = headers['content-length'];
    if (length !== undefined) this.#bytesMost = Number(length);
    this.#handler.onHead(status, headers);
  }

  onBody(chunk: Buffer): void {
    if (this.#bytesSeen === 0) {
      clearTimeout(this.#firstByteTimer);
      this.#firstByteTimer = undefined;
    }
    this.#bytesSeen += chunk.length;
    // After the last byte the end follows in the same read: there is no wait to bound.
    if (!this.#paused && this.#bytesSeen !== this.#bytesMost) this.#armIdle();
    this.#handler.onBytes(chunk);
  }

  onDone(): void {
    if (this.#ended) return;
    this.#close(true);
    this.#handler.onEnd();
  }

  onBroken(kind: BrokenKind, message: string): void {
    this.#fail(kind, message, this.#starting);
  }

  #tellSent(): void {
    if (!this.#ended) this.#handler.onSent();
  }

  #armIdle(): void {
    if (this.#idleTimer) this.#idleTimer.refresh();
    else this.#idleTimer = this.#timer(this.#idleTimeoutMs, 'idle_timeout', 'no more bytes');
  }

  // A loop that was blocked fires timers before it reads what had come in time, so the deadline is
  // held only if reading once more brings nothing.
  #timer(afterMs: number, kind: Kind, what: string): NodeJS.Timeout {
    return setTimeout(() => {
      const seen = this.#bytesSeen;
      const sent = this.#sent;
      setImmediate(() => {
        const moved = kind === 'connect_timeout' ? this.#sent !== sent : this.#bytesSeen !== seen;
        if (!moved && !(this.#paused && kind === 'idle_timeout')) {
          this.#fail(kind, `${what} within ${afterMs} ms`);
        }
      });
    }, afterMs);
  }

  #close(reusable: boolean): void {
    this.#ended = true;
    clearTimeout(this.#connectTimer);
    clearTimeout(this.#firstByteTimer);
    clearTimeout(this.#idleTimer);
    this.#release(reusable);
  }

  #fail(kind: Kind, message: string, later = false): void {
    if (this.#ended) return;
    this.#close(false);
    const failure: UpstreamFailure = { kind, sent: this.#sent, message };
    if (later) queueMicrotask(() => this.#handler.onFail(failure));
    else this.#handler.onFail(failure);
  }
}

function sizeOf(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return bytes;
}
