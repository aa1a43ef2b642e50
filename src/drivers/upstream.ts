// The wire to providers, on undici's dispatch handlers: bytes are handed on as they come, nothing
// is retried, redirected or decompressed. Of each call exactly one of `onEnd` and `onFail` is
// called, nothing after it, and nothing at all before `send` has returned.

import type {
  Upstream,
  UpstreamCall,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest,
} from '../core/upstream.js';
import { Exchange } from './upstream-exchange.js';
import { openPool, type PoolOptions } from './upstream-pool.js';

export type UpstreamOptions = Partial<PoolOptions>;

const DEFAULTS: PoolOptions = { idleMax: 128, keepAliveMs: 30_000, headerBytesMax: 32 * 1024 };
const ADDRESSES_MAX = 512;

interface Address {
  origin: string;
  path: string;
}

export function openUpstream(options: UpstreamOptions = {}): Upstream {
  const pool = openPool({ ...DEFAULTS, ...options });
  const addresses = new Map<string, Address | undefined>();
  const running = new Set<Exchange>();

  // There are as many addresses as configured providers have paths, and parsing one costs more
  // than everything else that is done here.
  function addressOf(url: string): Address | undefined {
    if (addresses.has(url)) return addresses.get(url);
    const address = parseAddress(url);
    if (addresses.size >= ADDRESSES_MAX) addresses.clear();
    addresses.set(url, address);
    return address;
  }

  return {
    send(request, handler) {
      const address = addressOf(request.url);
      if (!address) return failLater(handler, `${request.url} is no http or https address`);
      const connection = pool.take(address.origin, request.allowPrivate);
      const exchange = new Exchange(request, handler, (reusable) => {
        running.delete(exchange);
        if (reusable) pool.keep(connection);
        else pool.drop(connection);
      });
      running.add(exchange);
      exchange.start(connection, address.path);
      return exchange;
    },
    async close() {
      for (const exchange of running) exchange.abort();
      await pool.close();
    },
  };
}

function parseAddress(text: string): Address | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  return { origin: url.origin, path: url.pathname + url.search };
}

function failLater(handler: UpstreamHandler, message: string): UpstreamCall {
  let failure: UpstreamFailure = { kind: 'blocked', sent: false, message };
  queueMicrotask(() => handler.onFail(failure));
  const nothing = () => {};
  const abort = () => {
    failure = { kind: 'aborted', sent: false, message: 'aborted' };
  };
  return { pause: nothing, resume: nothing, abort };
}

export type { Upstream, UpstreamCall, UpstreamFailure, UpstreamHandler, UpstreamRequest };
