// Connections to upstreams, one undici client each, kept alive in a bounded stack per origin.
// One call has one connection at a time, so that ending a call by force ends nobody else's, and
// the connection used last is used next, which is the one least likely to have gone stale.

import type { Socket } from 'node:net';
import { buildConnector, Client } from 'undici';
import { checkLiteral, guardedLookup } from './upstream-guard.js';
import { type AnswerAwaited, skipInterim } from './upstream-interim.js';

export interface PoolOptions {
  /** Idle connections kept for each origin. */
  idleMax: number;
  /** How long an idle connection is kept; a server's own shorter hint wins. */
  keepAliveMs: number;
  /** Of all response headers together. */
  headerBytesMax: number;
}

export interface Connection extends AnswerAwaited {
  readonly client: Client;
  readonly key: string;
  idle: boolean;
}

export interface ConnectionPool {
  take(origin: string, allowPrivate: boolean): Connection;
  /** Back to the stack, after an answer that was read to its end. */
  keep(connection: Connection): void;
  drop(connection: Connection): void;
  close(): Promise<void>;
}

const SOCKET_OPTIONS = { allowH2: false, timeout: 0, keepAliveInitialDelay: 15_000 };

export function openPool(options: PoolOptions): ConnectionPool {
  const idle = new Map<string, Connection[]>();
  const open = new Set<Connection>();
  const connectors = {
    guarded: buildConnector({ ...SOCKET_OPTIONS, lookup: guardedLookup(false) }),
    private: buildConnector({ ...SOCKET_OPTIONS, lookup: guardedLookup(true) }),
  };

  function connectTo(origin: string, key: string, allowPrivate: boolean): Connection {
    const dial = allowPrivate ? connectors.private : connectors.guarded;
    const connection: Connection = {
      key,
      awaiting: false,
      idle: false,
      client: new Client(origin, {
        pipelining: 1,
        keepAliveTimeout: options.keepAliveMs,
        keepAliveMaxTimeout: options.keepAliveMs,
        maxHeaderSize: options.headerBytesMax,
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: (target, callback) => {
          const refused = checkLiteral(target.hostname, allowPrivate);
          if (refused) return callback(refused, null);
          dial(target, (error, socket) => {
            if (error) return callback(error, null);
            skipInterim(socket as Socket, connection);
            callback(null, socket as Socket);
          });
        },
      }),
    };
    connection.client.on('disconnect', () => {
      if (connection.idle) drop(connection);
    });
    open.add(connection);
    return connection;
  }

  function drop(connection: Connection): void {
    open.delete(connection);
    if (connection.idle) {
      const stack = idle.get(connection.key) ?? [];
      const at = stack.lastIndexOf(connection);
      if (at !== -1) stack.splice(at, 1);
      if (stack.length === 0) idle.delete(connection.key);
      connection.idle = false;
    }
    if (!connection.client.destroyed) void connection.client.destroy();
  }

  return {
    take(origin, allowPrivate) {
      const key = `${allowPrivate ? 'private' : 'public'} ${origin}`;
      const kept = idle.get(key)?.pop();
      if (!kept) return connectTo(origin, key, allowPrivate);
      kept.idle = false;
      return kept;
    },
    keep(connection) {
      const stack = idle.get(connection.key) ?? [];
      if (stack.length >= options.idleMax || connection.client.destroyed) return drop(connection);
      idle.set(connection.key, stack);
      connection.idle = true;
      stack.push(connection);
    },
    drop,
    async close() {
      const clients = [...open].map((connection) => connection.client);
      idle.clear();
      open.clear();
      await Promise.all(clients.map((client) => client.destroy()));
    },
  };
}
