// One request and its answer, as every door gets them, whoever read it from its connection: Node's
// server or the lane. And the ways to answer that are not a stream: JSON, text, the error envelope.

import type { Operation } from '../../core/call.js';
import { ERROR_CODES, type Problem, type Refused, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Sink } from '../../core/sink.js';
import { problemJson } from '../../rules/dialects/problem-json.js';
import type { Said } from './headers.js';

export interface BodyOptions {
  bodyBytesMax: number;
  /** The longest wait for the next bytes. */
  bodyIdleMs: number;
}

/** The bytes of a body, or why they are not taken; undefined if the client left meanwhile. */
export type Body = Buffer | Refused | undefined;

export interface Exchange {
  readonly method: string;
  /** The request target as it came: nothing is decoded or folded. */
  readonly url: string;
  /** The request target up to the query. */
  readonly path: string;
  readonly requestId: string;
  readonly arrivedMs: number;
  /** What its headers say. */
  readonly said: Said;
  /** Whether an answer has begun, or can reach nobody any more. */
  readonly answered: boolean;
  /** The wire format of the door, in which its errors are told; chat completions if unset. */
  operation: Operation | undefined;
  /** Whether this gateway takes no new calls any more. */
  draining(): boolean;
  /** Reads the body, once; at once where all of it is there already. */
  readBody(options: BodyOptions): Body | Promise<Body>;
  /**
   * Answers with head and body at once. If the body of the request was not read, the connection is
   * closed after it, gently, or the reader would lose the answer to a reset.
   */
  answer(status: number, headers: Record<string, string>, body: string | Buffer): void;
  /** Where an answer of any length goes; asked for once. */
  sink(): Sink;
  /** The client has left: a call that runs for it ends. */
  leave(): void;
  /** Breaks the connection. */
  destroy(): void;
}

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
  body: string | Buffer,
  headers: Record<string, string>,
): void {
  if (exchange.answered) return;
  const all: Record<string, string> = { 'x-request-id': exchange.requestId, ...headers };
  if (status !== 204) all['content-length'] = String(Buffer.byteLength(body));
  exchange.answer(status, all, body);
}

/** What a door threw is a bug: it is told to the log, and to the client as little as possible. */
export function fail(exchange: Exchange, error: unknown, log: Log): void {
  log.error({ requestId: exchange.requestId, error }, 'a request failed inside the gateway');
  if (exchange.answered) exchange.destroy();
  else answerProblem(exchange, refuse('internal_error', 'The gateway failed.').refused);
}
