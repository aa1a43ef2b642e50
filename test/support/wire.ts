// A wire to a server that a test can cut and mend: a TCP relay in front of a Redis or PostgreSQL
// that others use as well. Cut, it refuses new connections and drops those it has.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Wire {
  /** The server's address by way of this wire. */
  url: string;
  cut(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';

export async function openWire(to: string): Promise<Wire> {
  const target = new URL(to);
  const sockets = new Set<Socket>();
  const relay = (socket: Socket) => {
    const beyond = connect(Number(target.port), target.hostname);
    for (const [one, other] of [
      [socket, beyond],
      [beyond, socket],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      // A connection that is broken ends its other half, and says no more.
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  };
  const listen = async (port: number): Promise<Server> => {
    const server = createServer(relay).listen(port, HOST);
    await once(server, 'listening');
    return server;
  };
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const url = new URL(to);
  url.hostname = HOST;
  url.port = String(port);
  const cut = async () => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    url: url.href,
    cut,
    async mend() {
      if (!server.listening) server = await listen(port);
    },
    close: cut,
  };
}
