// One attempt at one target: it waits for the first byte of a good answer or for the whole of a
// bad one, and then hands every byte on in the tick it came. What arrives before somebody listens
// is kept, and the upstream is paused meanwhile if it is much.

import type {
  Upstream,
  UpstreamCall,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from '../../core/upstream.js';

/** What the upstream answered: its head, and for a bad status its (small) whole body. */
export interface Head {
  status: number;
  headers: Record<string, string>;
  /** Only where the status is not 2xx. */
  body?: Buffer;
}

export interface Consumer {
  onBytes(chunk: Buffer): void;
  onEnd(): void;
  onFail(failure: UpstreamFailure): void;
}

export interface Exchange {
  /** The head, once the first byte of a 2xx or all of another answer is here; else the failure. */
  readonly head: Promise<Head | UpstreamFailure>;
  attach(consumer: Consumer): void;
  pause(): void;
  resume(): void;
  abort(): void;
  /**
   * Nobody reads the answer any more. Where it is paused, what has been written already is still
   * read for a moment, because it is billed; then it is aborted.
   */
  leave(after: (ms: number, fire: () => void) => void): void;
}

const LEFT_READ_MS = 25;

/**
 * A fault of ours in a callback is the call's, not the wire's: thrown there it would be taken for
 * a failure of the upstream, or end the process.
 */
export function guarded(consumer: Consumer, fail: (error: unknown) => void): Consumer {
  return new GuardedConsumer(consumer, fail);
}

class GuardedConsumer implements Consumer {
  constructor(
    readonly consumer: Consumer,
    readonly fail: (error: unknown) => void,
  ) {}

  onBytes(chunk: Buffer): void {
    try {
      this.consumer.onBytes(chunk);
    } catch (error) {
      this.fail(error);
    }
  }

  onEnd(): void {
    try {
      this.consumer.onEnd();
    } catch (error) {
      this.fail(error);
    }
  }

  onFail(failure: UpstreamFailure): void {
    try {
      this.consumer.onFail(failure);
    } catch (error) {
      this.fail(error);
    }
  }
}

/** What a client is told of a failure; addresses and sockets are for the log alone. */
export const FAILURES: Record<UpstreamFailure['kind'], string> = {
  connect: 'no connection',
  connect_timeout: 'no connection in time',
  blocked: 'its address is not allowed',
  first_byte_timeout: 'no first byte in time',
  idle_timeout: 'it fell silent',
  reset: 'the connection was reset',
  protocol: 'its answer was no proper HTTP',
  aborted: 'the call was ended',
};

const EARLY_BYTES_MAX = 64 * 1024;
const BAD_BODY_BYTES_MAX = 1024 * 1024;

export function isFailure(value: Head | UpstreamFailure): value is UpstreamFailure {
  return 'kind' in value;
}

export function openExchange(
  upstream: Upstream,
  request: UpstreamRequest,
  onSent: () => void,
): Exchange {
  return new OpenExchange(upstream, request, onSent);
}

// A stream lives long and there are many: it is one object, and keeps nothing of its request.
class OpenExchange implements Exchange, UpstreamHandler {
  readonly head: Promise<Head | UpstreamFailure>;
  readonly #call: UpstreamCall;
  #settle: ((value: Head | UpstreamFailure) => void) | undefined;
  #onSent: (() => void) | undefined;
  #early: Buffer[] | undefined;
  #earlyBytes = 0;
  #status = 0;
  #headers: Record<string, string> = NO_HEADERS;
  #consumer: Consumer | undefined;
  #over = false;
  #failure: UpstreamFailure | undefined;
  #paused = false;
  #left = false;

  constructor(upstream: Upstream, request: UpstreamRequest, onSent: () => void) {
    this.head = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#onSent = onSent;
    this.#call = upstream.send(request, this);
  }

  onSent(): void {
    const tell = this.#onSent;
    this.#onSent = undefined;
    tell?.();
  }

  onHead(status: number, headers: Record<string, string>): void {
    this.#status = status;
    this.#headers = headers;
  }

  onBytes(chunk: Buffer): void {
    if (this.#consumer) return this.#consumer.onBytes(chunk);
    this.#early ??= [];
    this.#early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#isGood()) {
      this.#tell({ status: this.#status, headers: this.#headers });
      // To stop the wire costs more than to keep a small answer until somebody listens.
      if (this.#earlyBytes > EARLY_BYTES_MAX) this.pause();
    } else if (this.#earlyBytes > BAD_BODY_BYTES_MAX) {
      this.#tellBad();
      this.#call.abort();
    }
  }

  onEnd(): void {
    this.#over = true;
    if (this.#consumer) return this.#consumer.onEnd();
    if (this.#isGood()) this.#tell({ status: this.#status, headers: this.#headers });
    else this.#tellBad();
  }

  onFail(failure: UpstreamFailure): void {
    this.#over = true;
    this.#failure = failure;
    if (this.#consumer) return this.#consumer.onFail(failure);
    this.#tell(failure);
  }

  attach(next: Consumer): void {
    const early = this.#early;
    this.#early = undefined;
    this.#paused = false;
    if (early) for (const chunk of early) next.onBytes(chunk);
    this.#consumer = next;
    if (this.#failure) next.onFail(this.#failure);
    else if (this.#over) next.onEnd();
    // What was kept may have been more than a slow reader takes.
    else if (!this.#paused) this.resume();
  }

  pause(): void {
    if (this.#left) return;
    this.#paused = true;
    this.#call.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#call.resume();
  }

  abort(): void {
    this.#call.abort();
  }

  leave(after: (ms: number, fire: () => void) => void): void {
    if (!this.#paused) return this.#call.abort();
    this.#left = true;
    this.resume();
    after(LEFT_READ_MS, () => this.#call.abort());
  }

  #isGood(): boolean {
    return this.#status >= 200 && this.#status < 300;
  }

  #tellBad(): void {
    const body = Buffer.concat(this.#early ?? []);
    this.#tell({ status: this.#status, headers: this.#headers, body });
  }

  #tell(value: Head | UpstreamFailure): void {
    this.#settle?.(value);
    this.#settle = undefined;
    this.#headers = NO_HEADERS;
  }
}

const NO_HEADERS: Record<string, string> = Object.freeze({});
