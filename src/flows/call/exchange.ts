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
  let settle: (value: Head | UpstreamFailure) => void = () => {};
  const head = new Promise<Head | UpstreamFailure>((resolve) => {
    settle = resolve;
  });
  const early: Buffer[] = [];
  let earlyBytes = 0;
  let status = 0;
  let headers: Record<string, string> = {};
  let consumer: Consumer | undefined;
  let over: { failure?: UpstreamFailure } | undefined;
  const good = () => status >= 200 && status < 300;

  const handler: UpstreamHandler = {
    onSent,
    onHead(gotStatus, gotHeaders) {
      status = gotStatus;
      headers = gotHeaders;
    },
    onBytes(chunk) {
      if (consumer) return consumer.onBytes(chunk);
      early.push(chunk);
      earlyBytes += chunk.length;
      if (good()) {
        settle({ status, headers });
        // To stop the wire costs more than to keep a small answer until somebody listens.
        if (earlyBytes > EARLY_BYTES_MAX) flow.pause();
      } else if (earlyBytes > BAD_BODY_BYTES_MAX) {
        settle({ status, headers, body: Buffer.concat(early) });
        call.abort();
      }
    },
    onEnd() {
      over = {};
      if (consumer) return consumer.onEnd();
      settle(good() ? { status, headers } : { status, headers, body: Buffer.concat(early) });
    },
    onFail(failure) {
      over = { failure };
      if (consumer) return consumer.onFail(failure);
      settle(failure);
    },
  };
  const call: UpstreamCall = upstream.send(request, handler);
  const flow = new Flow(call);
  return {
    head,
    attach(next) {
      for (const chunk of early.splice(0)) next.onBytes(chunk);
      consumer = next;
      if (over?.failure) next.onFail(over.failure);
      else if (over) next.onEnd();
      else flow.resume();
    },
    pause: () => flow.pause(),
    resume: () => flow.resume(),
    abort: () => call.abort(),
    leave: (after) => flow.leave(after),
  };
}

/** Whether the wire of an exchange is read on. */
class Flow {
  readonly #call: UpstreamCall;
  #paused = false;
  #left = false;

  constructor(call: UpstreamCall) {
    this.#call = call;
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

  leave(after: (ms: number, fire: () => void) => void): void {
    if (!this.#paused) return this.#call.abort();
    this.#left = true;
    this.resume();
    after(LEFT_READ_MS, () => this.#call.abort());
  }
}
