// The door of the main job: bytes become a Call, the flow handles it, and a refusal that it hands
// back becomes the error envelope. The key is looked at before the body is read, so that nobody
// without one can make us hold megabytes.

import type { Call, CallBody, Caller, Operation } from '../../core/call.js';
import type { Clock } from '../../core/clock.js';
import { isRefused, type Problem, type Refused, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { answerProblem, type Body, type BodyOptions, type Exchange, fail } from './exchange.js';
import { claimsWith, type Said } from './headers.js';
import { breathe, isLarge } from './large-body.js';

export interface ProxyDeps {
  clock: Clock;
  log: Log;
  /** Does the whole call and resolves when it is over; a refusal is answered here. */
  handle(call: Call): Promise<Refused | undefined>;
  authenticate(part: Pick<Call, 'credential' | 'claims' | 'known'>): Caller | Refused;
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
}

export function createProxy(deps: ProxyDeps, options: ProxyOptions): CallDoor {
  const twins = new Set<string>();
  let open = 0;

  const once = async (call: Call, key: string): Promise<Refused | undefined> => {
    const twin = `${call.credential}\n${key}`;
    if (twins.has(twin)) return refuse('idempotency_in_progress', TWIN);
    twins.add(twin);
    try {
      return await deps.handle(call);
    } finally {
      twins.delete(twin);
    }
  };
  const run = (call: Read) => {
    if (call === undefined || isRefused(call)) return call;
    const { idempotencyKey } = call;
    return idempotencyKey === undefined ? deps.handle(call) : once(call, idempotencyKey);
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
        const reading = readCall(exchange, operation, deps, options);
        const refused = await run(reading instanceof Promise ? await reading : reading);
        if (refused) answerProblem(exchange, refused.refused);
      } catch (error) {
        fail(exchange, error, deps.log);
      } finally {
        open -= 1;
      }
    },
    callsOpen: () => open,
  };
}

type Read = Call | Refused | undefined;
type Reads = Pick<ProxyDeps, 'authenticate' | 'readCall'>;

/** A call as its door reads it; undefined if the client left. */
export function readCall(
  exchange: Exchange,
  operation: Operation,
  deps: Reads,
  options: ProxyOptions,
): Read | Promise<Read> {
  const { credential, idempotencyKey, maxCostNanoUsd } = exchange.said;
  if (isRefused(credential)) return credential;
  const caller = callerOf(exchange.said, credential, deps);
  if (isRefused(caller)) return caller;
  if (isRefused(idempotencyKey)) return idempotencyKey;
  if (isRefused(maxCostNanoUsd)) return maxCostNanoUsd;
  const raw = exchange.readBody(options);
  if (raw instanceof Promise || (Buffer.isBuffer(raw) && isLarge(raw))) {
    return readLate(exchange, operation, deps, caller, raw);
  }
  if (raw === undefined || isRefused(raw)) return raw;
  const body = deps.readCall(operation, raw, caller);
  return isRefused(body) ? body : callOf(exchange, operation, caller, body);
}

// Whose head it was when it came before, which saves hashing the key, and nothing else.
const callers = new WeakMap<Said, Caller>();

function callerOf(said: Said, credential: string, deps: Reads): Caller | Refused {
  const known = callers.get(said);
  const caller = deps.authenticate(
    known ? { credential, claims: NO_CLAIMS, known } : { credential, claims: NO_CLAIMS },
  );
  if (caller !== known && !isRefused(caller)) callers.set(said, caller);
  return caller;
}

const NO_CLAIMS = Object.freeze({});

async function readLate(
  exchange: Exchange,
  operation: Operation,
  deps: Reads,
  caller: Caller,
  reading: Body | Promise<Body>,
): Promise<Read> {
  const raw = await reading;
  if (raw === undefined || isRefused(raw)) return raw;
  const rest = breathe(raw);
  if (rest) await rest;
  const body = deps.readCall(operation, raw, caller);
  if (isRefused(body)) return body;
  if (rest) await breathe(raw);
  return callOf(exchange, operation, caller, body);
}

function callOf(exchange: Exchange, operation: Operation, known: Caller, body: CallBody): Call {
  const { said } = exchange;
  const own = DEFAULT_HEADERS[operation];
  const call: Call = {
    operation,
    requestId: exchange.requestId,
    arrivedMs: exchange.arrivedMs,
    // Refused ones have not come this far.
    credential: said.credential as string,
    known,
    claims: claimsWith(said.claims, body.endUser),
    passHeaders: own ? { ...own, ...said.passHeaders } : said.passHeaders,
    body,
    sink: exchange.sink(),
  };
  const { maxCostNanoUsd, idempotencyKey } = said;
  if (typeof maxCostNanoUsd === 'number') call.maxCostNanoUsd = maxCostNanoUsd;
  if (typeof idempotencyKey === 'string') call.idempotencyKey = idempotencyKey;
  return call;
}

// What a provider insists on and a client of another wire format cannot know.
const DEFAULT_HEADERS: Partial<Record<Operation, Record<string, string>>> = {
  messages: { 'anthropic-version': '2023-06-01' },
  count_tokens: { 'anthropic-version': '2023-06-01' },
};

const TWIN = 'A call with this Idempotency-Key is still running.';
const DRAINING: Problem = refuse('draining', 'This gateway is stopping. Try again.', {
  headers: { 'retry-after': '1' },
}).refused;
const OVERLOADED: Problem = refuse('overloaded', 'Too many calls at once. Try again.', {
  headers: { 'retry-after': '1' },
}).refused;
