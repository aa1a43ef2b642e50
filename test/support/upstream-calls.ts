// Sends through the real driver and notes every callback, in order.

import type {
  Upstream,
  UpstreamCall,
  UpstreamFailure,
  UpstreamRequest,
} from '#src/core/upstream.js';

export interface Call {
  call: UpstreamCall;
  /** `sent`, `head`, `bytes`, `end`, `fail`: in the order they came. */
  seen: string[];
  status: number;
  headers: Record<string, string>;
  body: string;
  failure: UpstreamFailure | undefined;
  /** Resolves at the ending, and then once more has had its chance. */
  ended: Promise<void>;
  /** Resolves when so many bytes of the body have come. */
  bytes(count: number): Promise<void>;
}

export function send(
  upstream: Upstream,
  url: string,
  options: Partial<UpstreamRequest> = {},
  onBytes: (call: Call) => void = () => {},
): Call {
  const watchers: [count: number, resolve: () => void][] = [];
  let end = () => {};
  const ending = new Promise<void>((resolve) => {
    end = resolve;
  });
  const state: Call = {
    call: undefined as never,
    seen: [],
    status: 0,
    headers: {},
    body: '',
    failure: undefined,
    ended: ending.then(() => new Promise((resolve) => setTimeout(resolve, 20))),
    bytes: (count) => {
      if (state.body.length >= count) return Promise.resolve();
      return new Promise((resolve) => watchers.push([count, resolve]));
    },
  };
  const request: UpstreamRequest = {
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json' },
    body: [Buffer.from('{"model":'), Buffer.from('"m"}')],
    allowPrivate: true,
    connectTimeoutMs: 5000,
    firstByteTimeoutMs: 5000,
    idleTimeoutMs: 5000,
    ...options,
  };
  state.call = upstream.send(request, {
    onSent: () => void state.seen.push('sent'),
    onHead: (status, headers) => {
      state.seen.push('head');
      Object.assign(state, { status, headers });
    },
    onBytes: (chunk) => {
      if (state.seen.at(-1) !== 'bytes') state.seen.push('bytes');
      state.body += chunk.toString('latin1');
      for (const [count, resolve] of watchers) if (state.body.length >= count) resolve();
      onBytes(state);
    },
    onEnd: () => {
      state.seen.push('end');
      end();
    },
    onFail: (failure) => {
      state.seen.push('fail');
      state.failure = failure;
      end();
    },
  });
  state.seen.push('returned');
  return state;
}
