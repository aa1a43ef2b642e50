// The door of the main job: bytes become a Call, the flow handles it, and a refusal that it hands
// back becomes the error envelope. The key is looked at before the body is read, so that nobody
// without one can make us hold megabytes.

import type { Call, CallBody, Caller, Operation } from '../../core/call.js';
import type { Clock } from '../../core/clock.js';
import { isRefused, type Problem, type Refused, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { type BodyOptions, readBody } from './body.js';
import { answerProblem, type Exchange } from './exchange.js';
import { claimsOf, credentialOf, idempotencyKeyOf, maxCostOf, passHeadersOf } from './headers.js';
import { breathe } from './large-body.js';
import { createSink } from './sink.js';

export interface ProxyDeps {
  clock: Clock;
  log: Log;
  /** Does the whole call and resolves when it is over; a refusal is answered here. */
  handle(call: Call): Promise<Refused | undefined>;
  authenticate(part: Pick<Call, 'credential' | 'claims'>): Caller | Refused;
  /** Reads a body in the wire format of its door. */
  readCall(operation: Operation, raw: Buffer, caller: Caller): CallBody | Refused;
}

export interface ProxyOptions extends BodyOptions {
  /** Calls at once, over which new ones are refused. */
  callsMax: number;
}

export interface CallDoor {
  /** Resolves when the call is over, whatever came of it. */
  call(exchange: Exchange, operation: Operation): Promise<void>;
  callsOpen(): number;
  /** The connection's reader has left: its calls end. */
  leave(exchange: Exchange): void;
}

export function createProxy(deps: ProxyDeps, options: ProxyOptions): CallDoor {
  const twins = new Set<string>();
  let open = 0;

  const run = async (exchange: Exchange, operation: Operation): Promise<Refused | undefined> => {
    const read = await readCall(exchange, operation, deps, options);
    if (read === undefined || isRefused(read)) return read;
    const { incoming, outgoing, requestId } = exchange;
    const sink = createSink(outgoing, requestId, exchange.draining);
    if (incoming.socket.destroyed || incoming.socket.readableEnded) sink.leave();
    const twin = read.idempotencyKey && `${read.credential}\n${read.idempotencyKey}`;
    if (twin !== undefined) {
      if (twins.has(twin)) return refuse('idempotency_in_progress', TWIN);
      twins.add(twin);
    }
    exchange.sink = sink;
    try {
      return await deps.handle({ ...read, sink });
    } finally {
      exchange.sink = undefined;
      if (twin !== undefined) twins.delete(twin);
    }
  };
  return {
    async call(exchange, operation) {
      exchange.operation = operation;
      const busy = exchange.draining()
        ? DRAINING
        : open >= options.callsMax
          ? OVERLOADED
          : undefined;
      if (busy) return answerProblem(exchange, busy);
      open += 1;
      try {
        const refused = await run(exchange, operation);
        if (refused) answerProblem(exchange, refused.refused);
      } catch (error) {
        answerFailure(exchange, error, deps.log);
      } finally {
        open -= 1;
      }
    },
    callsOpen: () => open,
    leave: (exchange) => exchange.sink?.leave(),
  };
}

/** A call as its door reads it, without its answer; undefined if the client left. */
export async function readCall(
  exchange: Exchange,
  operation: Operation,
  deps: Pick<ProxyDeps, 'authenticate' | 'readCall'>,
  options: ProxyOptions,
): Promise<Omit<Call, 'sink'> | Refused | undefined> {
  const { incoming, requestId, arrivedMs } = exchange;
  const { headers } = incoming;
  const credential = credentialOf(incoming);
  if (isRefused(credential)) return credential;
  const caller = deps.authenticate({ credential, claims: {} });
  if (isRefused(caller)) return caller;
  const idempotencyKey = idempotencyKeyOf(headers);
  if (isRefused(idempotencyKey)) return idempotencyKey;
  const maxCostNanoUsd = maxCostOf(headers);
  if (isRefused(maxCostNanoUsd)) return maxCostNanoUsd;
  const raw = await readBody(exchange, options);
  if (raw === undefined || isRefused(raw)) return raw;
  const rest = breathe(raw);
  if (rest) await rest;
  const body = deps.readCall(operation, raw, caller);
  if (isRefused(body)) return body;
  if (rest) await breathe(raw);
  return {
    operation,
    requestId,
    arrivedMs,
    credential,
    known: caller,
    claims: claimsOf(headers, body.endUser),
    ...(maxCostNanoUsd !== undefined && { maxCostNanoUsd }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    passHeaders: { ...DEFAULT_HEADERS[operation], ...passHeadersOf(headers) },
    body,
  };
}

function answerFailure(exchange: Exchange, error: unknown, log: Log): void {
  log.error({ requestId: exchange.requestId, error }, 'a call failed inside the gateway');
  if (exchange.outgoing.headersSent) exchange.outgoing.destroy();
  else answerProblem(exchange, FAILED);
}

// What a provider insists on and a client of another wire format cannot know.
const DEFAULT_HEADERS: Partial<Record<Operation, Record<string, string>>> = {
  messages: { 'anthropic-version': '2023-06-01' },
  count_tokens: { 'anthropic-version': '2023-06-01' },
};

const TWIN = 'A call with this Idempotency-Key is still running.';
const FAILED = refuse('internal_error', 'The gateway failed on this call.').refused;
const DRAINING: Problem = refuse('draining', 'This gateway is stopping. Try again.', {
  headers: { 'retry-after': '1' },
}).refused;
const OVERLOADED: Problem = refuse('overloaded', 'Too many calls at once. Try again.', {
  headers: { 'retry-after': '1' },
}).refused;
