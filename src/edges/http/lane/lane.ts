// The lane: reads and answers the plain requests to the doors of nearly all traffic on its own, in
// front of Node's server, which reads everything else. Doors do not know where they are.

import type { Socket } from 'node:net';
import { Roster } from '../../../core/roster.js';
import { IdleWatch } from '../../../drivers/idle-watch.js';
import { AnswerHeads } from './answer-head.js';
import { LaneConnection } from './connection.js';
import type { LaneParts, Open } from './parts.js';

export class Lane {
  readonly #parts: LaneParts;

  constructor(given: Omit<LaneParts, 'heads' | 'watch' | 'idleMsMin' | 'connections'>) {
    const { limits, clock } = given;
    const heads = new AnswerHeads(clock, limits.keepAliveMs);
    const { headersTimeoutMs, requestTimeoutMs, keepAliveMs } = limits;
    const idleMsMin = Math.min(headersTimeoutMs, requestTimeoutMs, keepAliveMs);
    const connections = new Roster<Open>();
    this.#parts = { ...given, heads, watch: new IdleWatch(), idleMsMin, connections };
  }

  /** Reads the connection, and hands it over at the first request that is not for the lane. */
  accept(socket: Socket, handOver: (socket: Socket) => void): void {
    if (this.#parts.doors.size === 0) return handOver(socket);
    new LaneConnection(socket, this.#parts, handOver);
  }

  /** Ends the connections that wait for their next request. */
  closeIdle(): void {
    for (const connection of this.#parts.connections.all())
      if (connection.idle) connection.destroy();
  }
}
