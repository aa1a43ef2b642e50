// The wire to providers, on undici's dispatch handlers: bytes are handed on as they come, nothing
// is retried, redirected or decompressed. Of each call exactly one of `onEnd` and `onFail` is
// called, nothing after it, and nothing at all before `send` has returned.

import type { Socket } from 'node:net';
import { buildConnector, Client } from 'undici';
import type { Upstream, UpstreamCall, UpstreamFailure, UpstreamHandler } from '../core/upstream.js';
import { Exchange } from './upstream-exchange.js';
import { checkLiteral, guardedLookup } from './upstream-guard.js';
import { skipInterim } from './upstream-interim.js';
import { ConnectionPool, type Dial } from './upstream-pool.js';

export interface UpstreamOptions {
  /** Idle connections kept for each origin. */
  idleMax?: number;
  /** How long an idle connection is kept; a server's own shorter hint wins. */
  keepAliveMs?: number;
  /** Of all headers of an answer together. */
  headerBytesMax?: number;
}

const DEFAULTS = { idleMax: 128, keepAliveMs: 30_000, headerBytesMax: 32 * 1024 };
const ADDRESSES_MAX = 512;

interface Address {
  origin: string;
  path: string;
}

export function openUpstream(options: UpstreamOptions = {}): Upstream {
  const settings = { ...DEFAULTS, ...options };
  const pool = new ConnectionPool(dialler(settings), settings.idleMax);
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

// The deadlines are the exchange's own, so undici's are off.
const SOCKETS = { allowH2: false, timeout: 0, keepAliveInitialDelay: 15_000 };

function dialler(settings: { keepAliveMs: number; headerBytesMax: number }): Dial {
  const guarded = buildConnector({ ...SOCKETS, lookup: guardedLookup(false) });
  const trusting = buildConnector({ ...SOCKETS, lookup: guardedLookup(true) });
  return (origin, allowPrivate, awaited, dropped) => {
    const connect = allowPrivate ? trusting : guarded;
    const client = new Client(origin, {
      pipelining: 1,
      keepAliveTimeout: settings.keepAliveMs,
      keepAliveMaxTimeout: settings.keepAliveMs,
      maxHeaderSize: settings.headerBytesMax,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (target, callback) => {
        const refused = checkLiteral(target.hostname, allowPrivate);
        if (refused) return callback(refused, null);
        connect(target, (error, socket) => {
          if (error) return callback(error, null);
          skipInterim(socket as Socket, awaited);
          callback(null, socket as Socket);
        });
      },
    });
    return client.on('disconnect', dropped);
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
