// Connections to upstreams, kept alive in a bounded stack per origin. One call has one connection
// at a time, so that ending a call by force ends nobody else's, and the connection used last is
// used next, which is the one least likely to have gone stale.

import type { AnswerAwaited } from './upstream-interim.js';

/** What undici's client is to us: one connection, dialled when first needed. */
export interface Wire {
  dispatch(request: object, handler: object): boolean;
  destroy(): Promise<void>;
  readonly destroyed: boolean;
}

export interface Connection extends AnswerAwaited {
  readonly key: string;
  readonly wire: Wire;
  idle: boolean;
}

/** Makes a wire that tells `dropped` when its socket closes and marks `awaited` as told. */
export type Dial = (
  origin: string,
  allowPrivate: boolean,
  awaited: AnswerAwaited,
  dropped: () => void,
) => Wire;

export class ConnectionPool {
  readonly #dial: Dial;
  readonly #idleMax: number;
  readonly #idle = new Map<string, Connection[]>();
  readonly #open = new Set<Connection>();

  /** `idleMax`: connections kept for each origin. */
  constructor(dial: Dial, idleMax: number) {
    this.#dial = dial;
    this.#idleMax = idleMax;
  }

  take(origin: string, allowPrivate: boolean): Connection {
    const key = `${allowPrivate ? 'private' : 'public'} ${origin}`;
    const kept = this.#idle.get(key)?.pop();
    if (kept) {
      kept.idle = false;
      return kept;
    }
    const awaited: AnswerAwaited = { awaiting: false };
    const dropped = () => {
      if (connection.idle) this.drop(connection);
    };
    const wire = this.#dial(origin, allowPrivate, awaited, dropped);
    const connection: Connection = Object.assign(awaited, { key, wire, idle: false });
    this.#open.add(connection);
    return connection;
  }

  /** Back to the stack, after an answer that was read to its end. */
  keep(connection: Connection): void {
    const stack = this.#idle.get(connection.key) ?? [];
    if (stack.length >= this.#idleMax || connection.wire.destroyed) {
      this.drop(connection);
      return;
    }
    this.#idle.set(connection.key, stack);
    connection.idle = true;
    stack.push(connection);
  }

  drop(connection: Connection): void {
    this.#open.delete(connection);
    if (connection.idle) {
      const stack = this.#idle.get(connection.key) ?? [];
      const at = stack.lastIndexOf(connection);
      if (at !== -1) stack.splice(at, 1);
      if (stack.length === 0) this.#idle.delete(connection.key);
      connection.idle = false;
    }
    if (!connection.wire.destroyed) void connection.wire.destroy();
  }

  /** Connections that are open or being opened. */
  get size(): number {
    return this.#open.size;
  }

  async close(): Promise<void> {
    const wires = [...this.#open].map((connection) => connection.wire);
    this.#idle.clear();
    this.#open.clear();
    await Promise.all(wires.map((wire) => wire.destroy()));
  }
}
