// Connections to upstreams, kept alive in a bounded stack per origin. One call has one connection
// at a time, so that ending a call by force ends nobody else's, and the connection used last is
// used next, which is the one least likely to have gone stale.

import type { Connection } from './upstream-connection.js';

/** Makes a connection that tells `lost` when it ends while it is kept. */
export type Open = (key: string, lost: (connection: Connection) => void) => Connection;

export class ConnectionPool {
  readonly #idleMax: number;
  readonly #idle = new Map<string, Connection[]>();
  readonly #open = new Set<Connection>();

  /** `idleMax`: connections kept for each key. */
  constructor(idleMax: number) {
    this.#idleMax = idleMax;
  }

  take(key: string, open: Open): Connection {
    const kept = this.#idle.get(key)?.pop();
    if (kept) return kept;
    const connection = open(key, (lost) => this.#forget(lost));
    this.#open.add(connection);
    return connection;
  }

  /** Back to the stack, after an answer that was read to its end. */
  keep(connection: Connection): void {
    let stack = this.#idle.get(connection.key);
    if (stack === undefined) {
      stack = [];
      this.#idle.set(connection.key, stack);
    }
    if (stack.length < this.#idleMax && connection.keep()) stack.push(connection);
    else this.drop(connection);
  }

  /** Ends a connection that a call has. */
  drop(connection: Connection): void {
    this.#open.delete(connection);
    connection.destroy();
  }

  close(): void {
    for (const connection of this.#open) connection.destroy();
    this.#idle.clear();
    this.#open.clear();
  }

  #forget(connection: Connection): void {
    this.#open.delete(connection);
    const stack = this.#idle.get(connection.key);
    const at = stack?.lastIndexOf(connection) ?? -1;
    if (at >= 0) stack?.splice(at, 1);
    if (stack?.length === 0) this.#idle.delete(connection.key);
  }
}
