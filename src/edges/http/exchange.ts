// One request and its answer, as every door gets them, and the ways to answer that are not a
// stream: JSON, plain text, and the error envelope. An answer to a request whose body was not read
// is sent whole and the connection closed gently, or the reader would lose it to a reset.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Operation } from '../../core/call.js';
import { ERROR_CODES, type Problem } from '../../core/errors.js';
import { problemJson } from '../../rules/dialects/problem-json.js';

export interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  /** The request target up to the query, as it came: nothing is decoded or folded. */
  readonly path: string;
  readonly requestId: string;
  readonly arrivedMs: number;
  /** The client waits for `100 Continue` before it sends its body. */
  awaitsContinue: boolean;
  /** Whether this gateway takes no new calls any more. */
  readonly draining: () => boolean;
  /** The wire format of the door, in which its errors are told; chat completions if unset. */
  operation?: Operation;
  /** Told that the reader has left, while a call is under way. */
  sink?: { leave(): void } | undefined;
}

const LINGER_BYTES_MAX = 64 * 1024;
const LINGER_MS = 1_000;

export function answerJson(
  exchange: Exchange,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  const type = { 'content-type': 'application/json' };
  answerText(exchange, status, JSON.stringify(body), { ...type, ...headers });
}

export function answerProblem(exchange: Exchange, problem: Problem): void {
  const status = problem.status ?? ERROR_CODES[problem.code].status;
  const retry = status === 402 ? { 'x-should-retry': 'false' } : {};
  const type = { 'content-type': 'application/json' };
  const text = problemJson(exchange.operation ?? 'chat', problem, exchange.requestId);
  answerText(exchange, status, text, { ...type, ...retry, ...problem.headers });
}

export function answerText(
  exchange: Exchange,
  status: number,
  text: string,
  headers: Record<string, string>,
): void {
  const { incoming, outgoing } = exchange;
  if (outgoing.headersSent || outgoing.destroyed) return;
  const unread = hasBody(incoming) && !incoming.complete;
  const all: Record<string, string> = {
    'x-request-id': exchange.requestId,
    ...headers,
  };
  if (status !== 204) all['content-length'] = String(Buffer.byteLength(text));
  if (unread || exchange.draining()) all.connection = 'close';
  outgoing.on('error', () => incoming.destroy());
  outgoing.writeHead(status, all);
  if (!unread) {
    outgoing.end(text);
    return;
  }
  outgoing.write(text);
  linger(incoming, () => outgoing.end());
}

/** Whether the request announces a body. */
export function hasBody(incoming: IncomingMessage): boolean {
  const { headers } = incoming;
  if (headers['transfer-encoding'] !== undefined) return true;
  const length = headers['content-length'];
  return length !== undefined && length !== '0';
}

// Reads on a little, so that what the client is still sending does not turn the close into a reset
// that would take our answer with it.
function linger(incoming: IncomingMessage, close: () => void): void {
  let bytes = 0;
  let closed = false;
  const finish = (): void => {
    if (closed) return;
    closed = true;
    clearTimeout(timer);
    close();
  };
  const timer = setTimeout(finish, LINGER_MS).unref();
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES_MAX) finish();
  });
  incoming.on('end', finish);
  incoming.on('close', finish);
  incoming.on('error', finish);
  incoming.resume();
}
