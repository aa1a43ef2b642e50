// Where a Redis is and who asks it, from its URL; and how a socket of our own is opened to it.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { LaneOptions } from './redis-lane.js';

export interface RedisAddress {
  host: string;
  port: number;
  db: number;
  username?: string;
  password?: string;
  tls?: { servername: string };
}

const PORT = '6379';
const KEEP_ALIVE_MS = 10_000;
const RECONNECT_STEP_MS = 50;
const RECONNECT_MOST_MS = 1_000;
const READ_BYTES = 64 * 1024;

/** Reads `redis://user:password@host:port/db`, or `rediss:` for TLS. */
export function addressOf(text: string): RedisAddress {
  const url = new URL(text);
  const address: RedisAddress = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || PORT),
    db: Number(url.pathname.slice(1) || '0'),
  };
  if (url.username) address.username = decodeURIComponent(url.username);
  if (url.password) address.password = decodeURIComponent(url.password);
  if (url.protocol === 'rediss:') address.tls = { servername: url.hostname };
  return address;
}

export function dialler({ host, port, tls }: RedisAddress): LaneOptions['dial'] {
  const keep = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  if (tls) return () => ({ socket: connectTls({ ...keep, ...tls }), opens: 'secureConnect' });
  // Left to itself a socket takes 64 KB for each read and gives back what it did not need; who
  // listens to `data` is done with the bytes when it returns.
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  function tellRead(this: Socket, length: number): boolean {
    this.emit('data', buffer.subarray(0, length));
    return true;
  }
  const onread = { buffer, callback: tellRead };
  return () => ({ socket: connectTcp({ ...keep, onread }), opens: 'connect' });
}

/** What a client is told of the address, and how it is to keep out of our way. */
export function clientOptions(
  { host, port, db, username, password, tls }: RedisAddress,
  timeouts: { commandTimeout: number; connectTimeout: number },
) {
  const shared = {
    ...timeouts,
    noDelay: true,
    keepAlive: KEEP_ALIVE_MS,
    enableAutoPipelining: false,
    autoResendUnfulfilledCommands: false,
    // What was sent when the connection broke has an unknown outcome; the caller decides.
    maxRetriesPerRequest: 0,
    // One reply form, whatever the server speaks.
    protocol: 2,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls }),
  } as const;
  const wait = (times: number): number => Math.min(times * RECONNECT_STEP_MS, RECONNECT_MOST_MS);
  const enableOfflineQueue = false;
  return {
    single: { ...shared, enableOfflineQueue, retryStrategy: wait, host, port, db },
    cluster: {
      enableOfflineQueue,
      clusterRetryStrategy: wait,
      maxRedirections: 4,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      redisOptions: shared,
    },
  };
}

/** What a new connection says first; the last of it proves that Redis answers. */
export function greetingOf(address: RedisAddress, probeKey: string): LaneOptions['greeting'] {
  const { username, password, db } = address;
  const names = username ? [username] : [];
  return [
    ...(password ? [['auth', ...names, password] as const] : []),
    ...(db > 0 ? [['select', `${db}`] as const] : []),
    ['get', probeKey],
  ];
}
