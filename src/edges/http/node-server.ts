// Node's own server reads every connection that the lane does not take: what it lets through but
// should not is turned away, and what its parser refuses is answered all the same.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { assert } from '../../core/assert.js';
import type { Clock } from '../../core/clock.js';
import { refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { Roster } from '../../core/roster.js';
import type { App } from './app.js';
import { answerProblem, fail } from './exchange.js';
import { guardRequest } from './guards.js';
import type { Limits } from './limits.js';
import { NodeExchange } from './node-exchange.js';
import { answerRawProblem, parserProblem } from './raw-answer.js';
import type { Traffic } from './traffic.js';

export interface NodeServerDeps {
  app: App;
  limits: Limits;
  clock: Clock;
  log: Log;
  traffic: Traffic;
}

const CHECK_MS_MAX = 1_000;

/** A connection's bytes are read by whoever `accept` gives them to; `read` is Node. */
export type Accept = (socket: Socket, read: (socket: Socket) => void) => void;

export function createNodeServer(deps: NodeServerDeps, accept: Accept): Server {
  const server = createServer(serverOptions(deps.limits));
  // The parser would cut the list silently; `guards.ts` counts and refuses.
  server.maxHeadersCount = 0;
  server.maxRequestsPerSocket = 0;
  server.maxConnections = deps.limits.connectionsMax;
  // Streams may be silent for minutes; who is idle in a call is the call's own business.
  server.timeout = 0;
  const open: Open = new WeakMap();
  listenToRequests(server, deps, open);
  listenToConnections(server, deps.traffic, open, accept);
  return server;
}

function serverOptions(limits: Limits) {
  return {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(CHECK_MS_MAX, limits.headersTimeoutMs),
    insecureHTTPParser: false,
    requireHostHeader: true,
    joinDuplicateHeaders: false,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  };
}

/** The exchanges that run on each connection. */
type Open = WeakMap<Socket, Roster<NodeExchange>>;

function listenToRequests(server: Server, deps: NodeServerDeps, open: Open): void {
  const take = (incoming: IncomingMessage, outgoing: ServerResponse, waits: boolean) => {
    const exchange = new NodeExchange(incoming, outgoing, waits, deps.clock, deps.traffic);
    follow(exchange, open.get(incoming.socket), deps.traffic);
    return exchange;
  };
  server.on('request', (incoming, outgoing) => serve(take(incoming, outgoing, false), deps));
  server.on('checkContinue', (incoming, outgoing) => serve(take(incoming, outgoing, true), deps));
  server.on('checkExpectation', (incoming, outgoing) => {
    outgoing.shouldKeepAlive = false;
    answerProblem(take(incoming, outgoing, false), BAD_EXPECTATION);
  });
}

function follow(
  exchange: NodeExchange,
  exchanges: Roster<NodeExchange> | undefined,
  traffic: Traffic,
): void {
  traffic.began();
  const seat = exchanges?.add(exchange);
  exchange.outgoing.once('close', () => {
    if (seat) exchanges?.remove(seat);
    traffic.ended();
  });
}

function listenToConnections(server: Server, traffic: Traffic, open: Open, accept: Accept): void {
  // It is a listener as any other, so it can wait until the lane has looked at the first bytes.
  const [nodeReads] = server.listeners('connection');
  assert(nodeReads !== undefined, 'a server of Node reads its connections');
  server.removeAllListeners('connection');
  const read = (socket: Socket): void => {
    nodeReads.call(server, socket);
    const exchanges = new Roster<NodeExchange>();
    open.set(socket, exchanges);
    // A client that has closed its sending half has gone, as far as a call is concerned.
    socket.once('end', () => {
      for (const exchange of exchanges.all()) exchange.leave();
    });
  };
  server.on('connection', (socket) => {
    const seat = traffic.connections.add(socket);
    socket.once('close', () => traffic.connections.remove(seat));
    accept(socket, read);
  });
  server.on('connect', (_incoming, socket) => answerRawProblem(socket as Socket, NO_CONNECT));
  server.on('clientError', (error, duplex) => {
    const socket = duplex as Socket;
    const exchanges = open.get(socket)?.all() ?? [];
    const answered = exchanges.some((exchange) => exchange.outgoing.headersSent);
    // What was answered so far still goes out; a stream is cut without its end.
    if (answered || !socket.writable) socket.destroySoon();
    else answerRawProblem(socket, parserProblem(error));
  });
}

const NO_CONNECT = refuse('method_not_allowed', 'This is no proxy for other hosts.').refused;
const BAD_EXPECTATION = refuse('expectation_failed', 'Only 100-continue is expected.').refused;

function serve(exchange: NodeExchange, { app, limits, log }: NodeServerDeps): void {
  const { incoming, outgoing } = exchange;
  const problem = guardRequest(incoming, limits) ?? guardUpgrade(incoming);
  if (problem) {
    outgoing.shouldKeepAlive = false;
    answerProblem(exchange, problem);
    return;
  }
  try {
    app.dispatch(exchange)?.catch((error: unknown) => fail(exchange, error, log));
  } catch (error) {
    fail(exchange, error, log);
  }
}

function guardUpgrade(incoming: IncomingMessage) {
  const upgrade = incoming.headers.upgrade?.toLowerCase();
  if (upgrade !== 'websocket') return undefined;
  return refuse('upgrade_not_supported', 'WebSocket is not spoken here.', {
    headers: { upgrade: 'HTTP/1.1' },
  }).refused;
}
