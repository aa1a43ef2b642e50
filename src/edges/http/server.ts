// The HTTP server: every limit and timeout is set here and nowhere left to a default, the doors of
// nearly all traffic have a lane of their own before Node's server, and it ends without cutting off
// anyone: no new connections, then the running calls, then, after the grace, whoever is left.

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../core/clock.js';
import { OperatorError } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { createApp, type Doors } from './app.js';
import { Lane } from './lane/lane.js';
import { LIMITS, type Limits } from './limits.js';
import { createNodeServer } from './node-server.js';
import { Traffic } from './traffic.js';

export interface ServerOptions extends Doors, Partial<Limits> {
  host: string;
  /** 0 takes any free port. */
  port: number;
  clock: Clock;
  log: Log;
  /** False: Node reads every connection. */
  lane?: boolean;
}

export interface OpenServer {
  readonly port: number;
  /** `http://host:port`. */
  readonly address: string;
  /** From now on: no new connections, no new calls, and connections close after their answer. */
  stopAccepting(): void;
  /** Stops accepting, waits for running requests up to the grace, and answers how many it cut. */
  close(graceMs: number): Promise<number>;
}

export async function openServer(given: ServerOptions): Promise<OpenServer> {
  const { host, clock, log } = given;
  const limits: Limits = { ...LIMITS, ...given };
  const app = createApp(given);
  const traffic = new Traffic();
  const doors = given.lane === false ? new Map() : app.hot;
  const lane = new Lane({ doors, limits, clock, log, traffic });
  const server = createNodeServer({ app, limits, clock, log, traffic }, (socket, read) =>
    lane.accept(socket, read),
  );
  await listen(server, host, given.port);
  const { port } = server.address() as AddressInfo;
  const stopAccepting = (): void => {
    if (traffic.draining) return;
    traffic.draining = true;
    server.close();
    server.closeIdleConnections();
    lane.closeIdle();
  };
  return {
    port,
    address: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    stopAccepting,
    async close(graceMs) {
      stopAccepting();
      await traffic.idleOrLate(graceMs, clock);
      const cut = traffic.running;
      for (const socket of traffic.connections.all()) socket.destroy();
      return cut;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE';
      const remedy = taken ? 'Stop what uses it, or set PORT to another.' : 'Check listen.host.';
      const what = `The address ${host}:${port} cannot be listened on: ${cause.message}`;
      reject(new OperatorError(what, remedy, { cause }));
    });
    server.listen({ host, port, backlog: 1024 }, resolve);
  });
}
