// The wire to providers, HTTP/1.1 framed by ourselves on plain and TLS sockets: bytes are handed on
// as they come, nothing is retried, redirected or decompressed. Of each call exactly one of `onEnd`
// and `onFail` is called, nothing after it, and nothing at all before `send` has returned.

import type { Socket } from 'node:net';
import { buildConnector } from 'undici';
import type { Upstream, UpstreamCall, UpstreamFailure, UpstreamHandler } from '../core/upstream.js';
import { IdleWatch } from './idle-watch.js';
import { Connection, type Dial } from './upstream-connection.js';
import { Exchange } from './upstream-exchange.js';
import { checkLiteral, guardedLookup } from './upstream-guard.js';
import { ConnectionPool } from './upstream-pool.js';

export interface UpstreamOptions {
  /** Idle connections kept for each origin. */
  idleMax?: number;
  /** How long an idle connection is kept; a server's own shorter hint wins. */
  keepAliveMs?: number;
  /** Of all headers of an answer together. */
  headerBytesMax?: number;
}

const DEFAULTS = { idleMax: 1024, keepAliveMs: 30_000, headerBytesMax: 32 * 1024 };
const ADDRESSES_MAX = 512;

interface Address {
  host: string;
  /** Without the brackets of IPv6. */
  hostname: string;
  protocol: string;
  port: string;
  path: string;
  /** Connections dialled with and without leave for private addresses are kept apart. */
  key: { public: string; private: string };
}

export function openUpstream(options: UpstreamOptions = {}): Upstream {
  const settings = { ...DEFAULTS, ...options };
  const pool = new ConnectionPool(settings.idleMax);
  const dial = dialler();
  const addresses = new Map<string, Address | undefined>();
  const running = new IdleWatch<Exchange>();

  // There are as many addresses as configured providers have paths, and parsing one costs more
  // than everything else that is done here.
  function addressOf(url: string): Address | undefined {
    if (addresses.has(url)) return addresses.get(url);
    const address = parseAddress(url);
    if (addresses.size >= ADDRESSES_MAX) addresses.clear();
    addresses.set(url, address);
    return address;
  }

  function take(address: Address, allowPrivate: boolean): Connection {
    return pool.take(address.key[allowPrivate ? 'private' : 'public'], (key, onLost) => {
      const { headerBytesMax: headBytesMax, keepAliveMs } = settings;
      return new Connection({
        ...{ key, onLost, headBytesMax, keepAliveMs },
        dial: dial(address, allowPrivate),
      });
    });
  }

  return {
    send(request, handler) {
      const address = addressOf(request.url);
      if (!address) return failLater(handler, `${request.url} is no http or https address`);
      const connection = take(address, request.allowPrivate);
      const exchange = new Exchange(handler, (reusable) => {
        running.remove(seat);
        if (reusable) pool.keep(connection);
        else pool.drop(connection);
      });
      const { connectTimeoutMs, firstByteTimeoutMs, idleTimeoutMs } = request;
      const msMin = Math.min(connectTimeoutMs, firstByteTimeoutMs, idleTimeoutMs);
      const seat = running.add(exchange, msMin);
      exchange.start(connection, address, request);
      return exchange;
    },
    async close() {
      for (const exchange of running.all()) exchange.abort();
      pool.close();
    },
  };
}

// undici dials: TLS sessions, and the faster of two address families. The deadlines are the
// exchange's own, so its are off.
const SOCKETS = {
  allowH2: false,
  timeout: 0,
  keepAliveInitialDelay: 15_000,
  onread: {
    buffer: Buffer.allocUnsafeSlow(64 * 1024),
    callback: tellRead,
  },
};

// All sockets read into one buffer: left to itself a socket takes 64 KB for each read and gives
// back what it did not need. What came is copied before anybody else can read.
function tellRead(this: Socket, length: number, shared: Uint8Array): boolean {
  const bytes = Buffer.allocUnsafe(length);
  bytes.set(length === shared.length ? shared : shared.subarray(0, length));
  this.emit('data', bytes);
  return true;
}

function dialler(): (address: Address, allowPrivate: boolean) => Dial {
  const guarded = buildConnector({ ...SOCKETS, lookup: guardedLookup(false) });
  const trusting = buildConnector({ ...SOCKETS, lookup: guardedLookup(true) });
  return (address, allowPrivate) => (callback) => {
    const refused = checkLiteral(address.hostname, allowPrivate);
    if (refused) {
      queueMicrotask(() => callback(refused));
      return undefined;
    }
    const connect = allowPrivate ? trusting : guarded;
    // What it answers is its socket, though its types do not say so.
    return connect(address, (error, socket) => {
      if (error) callback(error);
      else callback(null, socket as Socket);
    }) as unknown as Socket;
  };
}

function parseAddress(text: string): Address | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  const { origin, host, protocol, port } = url;
  const path = url.pathname + url.search;
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const key = { public: `public ${origin}`, private: `private ${origin}` };
  return { host, hostname, protocol, port, path, key };
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
