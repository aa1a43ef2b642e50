// One call to an upstream, from dispatch to its one ending. It keeps its own clocks: undici's have
// a resolution of half a second and know nothing of "until the first byte of the body".

import type {
  UpstreamCall,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from '../core/upstream.js';
import type { Connection } from './upstream-pool.js';

type Kind = UpstreamFailure['kind'];

// undici passes a handler without `onRequestStart` the raw events, without a controller and
// parsed headers of its own; `onRequestSent` exists only there, and its types do not name it.
interface RawHandler {
  onConnect(abort: (error?: Error) => void): void;
  onRequestSent(): void;
  onHeaders(status: number, headers: Buffer[], resume: () => void, statusText: string): boolean;
  onData(chunk: Buffer): boolean;
  onComplete(): void;
  onError(error: Error): void;
}

export class Exchange implements UpstreamCall, RawHandler {
  readonly #request: UpstreamRequest;
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
  #wirePaused = false;
  #reading = false;
  #resumeWire: (() => void) | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #firstByteTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(
    request: UpstreamRequest,
    handler: UpstreamHandler,
    release: (reusable: boolean) => void,
  ) {
    this.#request = request;
    this.#handler = handler;
    this.#release = release;
  }

  start(connection: Connection, path: string): void {
    const { method, headers, body, connectTimeoutMs, firstByteTimeoutMs } = this.#request;
    this.#connection = connection;
    this.#firstByteTimer = this.#timer(firstByteTimeoutMs, 'first_byte_timeout', 'no answer');
    connection.wire.dispatch(
      {
        method,
        path,
        headers: pairsOf(headers),
        body: body === null || body.length === 0 ? null : Buffer.concat(body),
      },
      this,
    );
    this.#starting = false;
    // A connection that was kept is used at once, and nothing is left to wait for.
    if (this.#sent || this.#ended) return;
    this.#connectTimer = this.#timer(connectTimeoutMs, 'connect_timeout', 'no connection');
  }

  pause(): void {
    this.#paused = true;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
  }

  resume(): void {
    if (!this.#paused || this.#ended) return;
    this.#paused = false;
    if (this.#bytesSeen > 0) this.#armIdle();
    // Inside a chunk the parser cannot be entered again; what `onData` answers resumes it.
    if (this.#reading || !this.#wirePaused) return;
    this.#wirePaused = false;
    this.#resumeWire?.();
  }

  abort(): void {
    this.#fail('aborted', 'aborted', true);
  }

  onConnect(): void {
    this.#sent = true;
    clearTimeout(this.#connectTimer);
  }

  onRequestSent(): void {
    if (this.#connection) this.#connection.awaiting = true;
    if (!this.#ended) this.#handler.onSent();
  }

  onHeaders(status: number, rawHeaders: Buffer[], resume: () => void): boolean {
    if (status < 200 || this.#ended) return true;
    const headers = readHeaders(rawHeaders);
    const encoding = headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
      this.#fail('protocol', `the answer is compressed (${encoding}) though not asked to be`);
      return true;
    }
    const length = headers['content-length'];
    if (length !== undefined) this.#bytesMost = Number(length);
    this.#resumeWire = resume;
    this.#handler.onHead(status, headers);
    return this.#goOn();
  }

  onData(chunk: Buffer): boolean {
    if (this.#ended) return true;
    if (this.#bytesSeen === 0) clearTimeout(this.#firstByteTimer);
    this.#bytesSeen += chunk.length;
    // After the last byte the end follows in the same read: there is no wait to bound.
    if (!this.#paused && this.#bytesSeen !== this.#bytesMost) this.#armIdle();
    this.#reading = true;
    try {
      this.#handler.onBytes(chunk);
    } finally {
      this.#reading = false;
    }
    return this.#goOn();
  }

  onComplete(): void {
    if (this.#ended) return;
    this.#close(true);
    this.#tell(() => this.#handler.onEnd());
  }

  onError(error: Error): void {
    this.#fail(kindOf(error, this.#sent), error.message, this.#starting);
  }

  #goOn(): boolean {
    this.#wirePaused = this.#paused && !this.#ended;
    return !this.#wirePaused;
  }

  #armIdle(): void {
    if (this.#idleTimer) this.#idleTimer.refresh();
    else
      this.#idleTimer = this.#timer(this.#request.idleTimeoutMs, 'idle_timeout', 'no more bytes');
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
    const tell = () => this.#tell(() => this.#handler.onFail(failure));
    if (later) queueMicrotask(tell);
    else tell();
  }

  // undici drops what is thrown at an ending, and a bug must not vanish.
  #tell(ending: () => void): void {
    try {
      ending();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

// The last is what a handler of ours threw: undici hands it back without a code.
const NOT_HTTP = new Set(['UND_ERR_HEADERS_OVERFLOW', 'ERR_ASSERTION', '']);

function kindOf(error: Error & { code?: string }, sent: boolean): Kind {
  const code = error.code ?? '';
  if (code === 'PURSER_BLOCKED') return 'blocked';
  if (code === 'UND_ERR_INVALID_ARG') return 'protocol';
  if (!sent) return 'connect';
  const isHttp = code.startsWith('HPE_') || NOT_HTTP.has(code) || error.message === 'bad upgrade';
  return isHttp ? 'protocol' : 'reset';
}

// Names and values in turn, as undici takes them without a look at an object's shape.
function pairsOf(headers: Record<string, string>): string[] {
  const pairs: string[] = [];
  for (const name in headers) {
    if (name !== 'accept-encoding') pairs.push(name, headers[name]!);
  }
  pairs.push('accept-encoding', 'identity');
  return pairs;
}

// Names in lower case; of a header that comes more than once, the values joined.
function readHeaders(raw: Buffer[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toString('latin1').toLowerCase();
    const value = raw[i + 1]!.toString('latin1');
    const known = headers[name];
    headers[name] = known === undefined ? value : `${known}, ${value}`;
  }
  return headers;
}
