// The HTTP server: every limit and timeout is set here and nowhere left to a default, requests that
// Node lets through but should not are turned away, and the server ends without cutting off
// anyone: no new connections, then the running calls, then, after the grace, whoever is left.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Clock } from '../../core/clock.js';
import { OperatorError, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { Roster } from '../../core/roster.js';
import { type App, createApp, type Doors } from './app.js';
import { answerProblem, type Exchange } from './exchange.js';
import { guardRequest } from './guards.js';
import { requestIdOf } from './headers.js';
import { answerRawProblem, parserProblem } from './raw-answer.js';

export interface ServerOptions extends Doors {
  host: string;
  /** 0 takes any free port. */
  port: number;
  clock: Clock;
  log: Log;
  headerBytesMax?: number;
  headersMax?: number;
  urlBytesMax?: number;
  connectionsMax?: number;
  /** From the connection to the end of the headers. */
  headersTimeoutMs?: number;
  /** From the first byte of a request to the last of its body. */
  requestTimeoutMs?: number;
  keepAliveMs?: number;
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

const DEFAULTS = {
  headerBytesMax: 16 * 1024,
  headersMax: 128,
  urlBytesMax: 8 * 1024,
  connectionsMax: 20_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 300_000,
  keepAliveMs: 65_000,
};
const CHECK_MS_MAX = 1_000;

export async function openServer(given: ServerOptions): Promise<OpenServer> {
  const options = { ...DEFAULTS, ...given };
  const app = createApp(given);
  const traffic: Traffic = {
    connections: new Map(),
    running: new Roster(),
    waiting: new Set(),
    draining: false,
  };
  const server = createNodeServer(options);
  listenToConnections(server, traffic, given);
  const take = (incoming: IncomingMessage, outgoing: ServerResponse, waits: boolean): Exchange => {
    const draining = () => traffic.draining;
    const exchange = openExchange(incoming, outgoing, waits, options.clock, draining);
    follow(exchange, traffic);
    return exchange;
  };
  server.on('request', (incoming, outgoing) =>
    serve(take(incoming, outgoing, false), app, options),
  );
  server.on('checkContinue', (incoming, outgoing) =>
    serve(take(incoming, outgoing, true), app, options),
  );
  server.on('checkExpectation', (incoming, outgoing) => {
    outgoing.shouldKeepAlive = false;
    answerProblem(take(incoming, outgoing, false), BAD_EXPECTATION);
  });
  await listen(server, options.host, options.port);
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  const stopAccepting = (): void => {
    if (traffic.draining) return;
    traffic.draining = true;
    server.close();
    server.closeIdleConnections();
  };
  return {
    port,
    address: `http://${host}:${port}`,
    stopAccepting,
    async close(graceMs) {
      stopAccepting();
      await idleOrLate(traffic, graceMs, options.clock);
      const cut = traffic.running.size;
      for (const socket of traffic.connections.keys()) socket.destroy();
      return cut;
    },
  };
}

/** What is open: connections with the exchanges on each, and all that run. */
interface Traffic {
  connections: Map<Socket, Roster<Exchange>>;
  running: Roster<Exchange>;
  draining: boolean;
  /** Who waits until nothing runs. */
  waiting: Set<() => void>;
}

function follow(exchange: Exchange, traffic: Traffic): void {
  const exchanges = traffic.connections.get(exchange.incoming.socket);
  const seat = traffic.running.add(exchange);
  const ownSeat = exchanges?.add(exchange);
  exchange.outgoing.on('close', () => {
    if (ownSeat) exchanges?.remove(ownSeat);
    traffic.running.remove(seat);
    if (traffic.running.size === 0) for (const tell of traffic.waiting) tell();
  });
}

function listenToConnections(server: Server, traffic: Traffic, doors: Doors): void {
  server.on('connection', (socket) => {
    const exchanges = new Roster<Exchange>();
    traffic.connections.set(socket, exchanges);
    socket.once('close', () => traffic.connections.delete(socket));
    // A client that has closed its sending half has gone, as far as a call is concerned.
    socket.once('end', () => {
      for (const exchange of exchanges.all()) doors.clients?.proxy.leave(exchange);
    });
  });
  server.on('connect', (_incoming, socket) => answerRawProblem(socket as Socket, NO_CONNECT));
  server.on('clientError', (error, duplex) => {
    const socket = duplex as Socket;
    const exchanges = traffic.connections.get(socket)?.all() ?? [];
    const answered = exchanges.some((exchange) => exchange.outgoing.headersSent);
    // What was answered so far still goes out; a stream is cut without its end.
    if (answered || !socket.writable) socket.destroySoon();
    else answerRawProblem(socket, parserProblem(error));
  });
}

const NO_CONNECT = refuse('method_not_allowed', 'This is no proxy for other hosts.').refused;
const BAD_EXPECTATION = refuse('expectation_failed', 'Only 100-continue is expected.').refused;

function createNodeServer(options: typeof DEFAULTS): Server {
  const server = createServer({
    maxHeaderSize: options.headerBytesMax,
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: options.keepAliveMs,
    connectionsCheckingInterval: Math.min(CHECK_MS_MAX, options.headersTimeoutMs),
    insecureHTTPParser: false,
    requireHostHeader: true,
    joinDuplicateHeaders: false,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  });
  // The parser would cut the list silently; `guards.ts` counts and refuses.
  server.maxHeadersCount = 0;
  server.maxRequestsPerSocket = 0;
  server.maxConnections = options.connectionsMax;
  // Streams may be silent for minutes; who is idle in a call is the call's own business.
  server.timeout = 0;
  return server;
}

function openExchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  awaitsContinue: boolean,
  clock: Clock,
  draining: () => boolean,
): Exchange {
  const url = incoming.url ?? '';
  const query = url.includes('?') || url.includes('#') ? url.search(/[?#]/) : -1;
  return {
    incoming,
    outgoing,
    path: query < 0 ? url : url.slice(0, query),
    requestId: requestIdOf(incoming.headers, clock.nowMs()),
    arrivedMs: clock.elapsedMs(),
    awaitsContinue,
    draining,
  };
}

function serve(exchange: Exchange, app: App, options: typeof DEFAULTS & { log: Log }): void {
  const { incoming, outgoing, requestId } = exchange;
  const problem = guardRequest(incoming, options) ?? guardUpgrade(incoming);
  if (problem) {
    outgoing.shouldKeepAlive = false;
    answerProblem(exchange, problem);
    return;
  }
  const fail = (error: unknown): void => {
    options.log.error({ requestId, error }, 'a request failed inside the gateway');
    if (outgoing.headersSent) outgoing.destroy();
    else answerProblem(exchange, refuse('internal_error', 'The gateway failed.').refused);
  };
  try {
    app.dispatch(exchange)?.catch(fail);
  } catch (error) {
    fail(error);
  }
}

function guardUpgrade(incoming: IncomingMessage) {
  const upgrade = incoming.headers.upgrade?.toLowerCase();
  if (upgrade !== 'websocket') return undefined;
  return refuse('upgrade_not_supported', 'WebSocket is not spoken here.', {
    headers: { upgrade: 'HTTP/1.1' },
  }).refused;
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

function idleOrLate(traffic: Traffic, graceMs: number, clock: Clock): Promise<void> {
  if (traffic.running.size === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const tell = (): void => {
      stop();
      traffic.waiting.delete(tell);
      resolve();
    };
    const stop = clock.after(graceMs, tell);
    traffic.waiting.add(tell);
  });
}
