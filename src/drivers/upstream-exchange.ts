// One call to an upstream, from the request to its one ending, and its waits, one after another:
// for a connection, for the first byte of the body, for more.

import type {
  UpstreamCall,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from '../core/upstream.js';
import type { Waiting } from './idle-watch.js';
import { writeRequestHead } from './request-head.js';
import type { BrokenKind, Connection, ConnectionUser } from './upstream-connection.js';

type Kind = UpstreamFailure['kind'];
type WaitKind = Extract<Kind, `${string}_timeout`>;

const WAITS: Record<WaitKind, string> = {
  connect_timeout: 'no connection',
  first_byte_timeout: 'no answer',
  idle_timeout: 'no more bytes',
};

const NOW = Promise.resolve();

const NEVER = Number.POSITIVE_INFINITY;

export class Exchange implements UpstreamCall, ConnectionUser, Waiting {
  idleMs = NEVER;
  quietMs = 0;
  /** What it is if the wait is over. */
  #waitFor: WaitKind = 'connect_timeout';
  readonly #handler: UpstreamHandler;
  readonly #release: (reusable: boolean) => void;
  #connection: Connection | undefined;
  #starting = true;
  #ended = false;
  #sent = false;
  #bytesSeen = 0;
  /** As the answer announces; infinite where it does not. */
  #bytesMost = NEVER;
  #paused = false;
  #firstByteTimeoutMs = 0;
  #idleTimeoutMs = 0;

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
    this.#firstByteTimeoutMs = firstByteTimeoutMs;
    this.#idleTimeoutMs = request.idleTimeoutMs;
    const parts = body ?? [];
    const head = writeRequestHead(method, address, headers, body === null ? null : sizeOf(parts));
    if (head === undefined) {
      this.#fail('protocol', 'a header of the request may not be written', true);
      return;
    }
    this.#connection = connection;
    this.#awaitFirstByte();
    connection.request(this, head, parts);
    this.#starting = false;
    // A connection that was kept is used at once.
    if (this.#sent || this.#ended || connectTimeoutMs > firstByteTimeoutMs) return;
    this.idleMs = connectTimeoutMs;
    this.#waitFor = 'connect_timeout';
  }

  pause(): void {
    // Its connection is another call's by then.
    if (this.#ended) return;
    this.#paused = true;
    if (this.#bytesSeen > 0) this.idleMs = NEVER;
    this.#connection?.hold();
  }

  resume(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    if (this.#bytesSeen > 0) this.#awaitMore();
    this.#connection?.resume();
  }

  abort(): void {
    this.#fail('aborted', 'aborted', true);
  }

  onWritten(): void {
    this.#sent = true;
    this.#awaitFirstByte();
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
    this.#bytesSeen += chunk.length;
    // After the last byte the end follows in the same read: there is no wait to bound.
    if (this.#paused || this.#bytesSeen === this.#bytesMost) this.idleMs = NEVER;
    else this.#awaitMore();
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

  // Counted from the beginning, as long as it takes to connect.
  #awaitFirstByte(): void {
    this.idleMs = this.#firstByteTimeoutMs;
    this.#waitFor = 'first_byte_timeout';
  }

  #awaitMore(): void {
    this.idleMs = this.#idleTimeoutMs;
    this.quietMs = 0;
    this.#waitFor = 'idle_timeout';
  }

  // A loop that was blocked looks before it reads what had come in time, so the deadline is held
  // only if reading once more brings nothing.
  onIdle(): void {
    const { idleMs } = this;
    const kind = this.#waitFor;
    const seen = this.#bytesSeen;
    const sent = this.#sent;
    setImmediate(() => {
      const moved = kind === 'connect_timeout' ? this.#sent !== sent : this.#bytesSeen !== seen;
      if (!moved && !(this.#paused && kind === 'idle_timeout')) {
        this.#fail(kind, `${WAITS[kind]} within ${idleMs} ms`);
      }
    });
  }

  #close(reusable: boolean): void {
    this.#ended = true;
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
