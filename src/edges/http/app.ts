// All doors of the gateway. Hono only routes: paths are matched as they came, undecoded, and every
// door answers through its exchange. A path that is not in this table is 404, a method that is
// not is 405; nothing is ever passed on unknown.

import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, type Handler, Hono } from 'hono';
import type { Operation } from '../../core/call.js';
import { type Problem, refuse } from '../../core/errors.js';
import type { CallerDoors } from './caller-doors.js';
import { answerProblem, answerText, type Exchange } from './exchange.js';
import { answerAlive, answerMetrics, answerReady, type OperatorDoorsDeps } from './health.js';
import type { KeptResponseDoor } from './kept-response-door.js';
import type { CallDoor } from './proxy.js';
import type { QuoteDoor } from './quote-door.js';

type Bindings = { Bindings: Exchange };
export type Door = (exchange: Exchange, context: Context<Bindings>) => void | Promise<void>;
export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

export interface Doors {
  clients?: {
    proxy: CallDoor;
    caller: CallerDoors;
    quote?: QuoteDoor;
    keptResponse?: KeptResponseDoor;
  };
  operators?: OperatorDoorsDeps;
  /** Further doors, such as those of the admin API: method, path, door. */
  more?: readonly (readonly [Method, string, Door])[];
}

export interface App {
  /** Answers the request; resolves when its door has done its work. */
  dispatch(exchange: Exchange): void | Promise<void>;
  /** The doors of nearly all traffic, by their path; all of them take POST alone. */
  readonly hot: HotDoors;
}

export type HotDoors = ReadonlyMap<string, (exchange: Exchange) => Promise<void>>;

const METHODS: readonly Method[] = ['GET', 'POST', 'PATCH', 'DELETE'];
// Hono wants something handed back; what the client gets was written before.
const WRITTEN = RESPONSE_ALREADY_SENT;

export function createApp(doors: Doors): App {
  const app = new Hono<Bindings>({ getPath: (_request, options) => options?.env?.path ?? '' });
  const add = (method: Method, path: string, door: Door): void => {
    const handler: Handler<Bindings> = (context) => {
      const done = door(context.env, context);
      return done ? done.then(() => WRITTEN) : WRITTEN;
    };
    app.on(method, path, handler);
  };
  if (doors.clients) addClientDoors(add, doors.clients);
  if (doors.operators) addOperatorDoors(add, doors.operators);
  for (const [method, path, door] of doors.more ?? []) add(method, path, door);
  app.notFound((context) => {
    const { path, method: asked } = context.env;
    const found = METHODS.filter((method) => app.router.match(method, path)[0].length > 0);
    const allowed = found.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
    if (asked === 'OPTIONS' && (allowed.length > 0 || path === '*')) {
      answerText(context.env, 204, '', { allow: [...allowed, 'OPTIONS'].join(', ') });
    } else answerProblem(context.env, allowed.length > 0 ? wrongMethod(allowed) : unknown(path));
    return WRITTEN;
  });
  app.onError((error) => {
    throw error;
  });
  const hot = hotDoors(doors.clients?.proxy);
  return {
    hot,
    dispatch(exchange) {
      const direct = exchange.method === 'POST' ? hot.get(exchange.path) : undefined;
      if (direct) return direct(exchange);
      // Node leaves the body of an answer to HEAD out by itself.
      const method = exchange.method === 'HEAD' ? 'GET' : exchange.method;
      const request = { method, url: `http://purser${exchange.url}` } as unknown as Request;
      const done = app.fetch(request, exchange);
      return done instanceof Promise ? done.then(() => undefined) : undefined;
    },
  };
}

const CALL_DOORS: readonly (readonly [string, Operation])[] = [
  ['/chat/completions', 'chat'],
  ['/completions', 'completions'],
  ['/embeddings', 'embeddings'],
  ['/responses', 'responses'],
  ['/messages', 'messages'],
  ['/messages/count_tokens', 'count_tokens'],
];

const PREFIXES = ['/v1', '/openai/v1', ''];

// The doors of nearly all traffic are found by their path alone, before any routing.
function hotDoors(proxy: CallDoor | undefined): HotDoors {
  const hot = new Map<string, (exchange: Exchange) => Promise<void>>();
  if (!proxy) return hot;
  for (const prefix of PREFIXES) {
    for (const [path, operation] of CALL_DOORS) {
      hot.set(`${prefix}${path}`, (exchange) => proxy.call(exchange, operation));
    }
  }
  return hot;
}

type Add = (method: Method, path: string, door: Door) => void;

function addClientDoors(add: Add, doors: NonNullable<Doors['clients']>): void {
  const { proxy, caller, quote, keptResponse } = doors;
  for (const prefix of PREFIXES) {
    for (const [path, operation] of CALL_DOORS) {
      add('POST', `${prefix}${path}`, (exchange) => proxy.call(exchange, operation));
    }
    add('GET', `${prefix}/models`, (exchange) => caller.listModels(exchange));
    add('GET', `${prefix}/models/:id{.+}`, (exchange, context) =>
      caller.showModel(exchange, context.req.param('id') ?? ''),
    );
    add('GET', `${prefix}/budget`, (exchange) => caller.showBudget(exchange));
    for (const method of ['GET', 'DELETE'] as const) {
      if (!keptResponse) continue;
      add(method, `${prefix}/responses/:id`, (exchange, context) =>
        keptResponse(exchange, method, context.req.param('id') ?? ''),
      );
    }
    if (quote) add('POST', `${prefix}/budget/quote`, quote);
  }
}

function addOperatorDoors(add: Add, deps: OperatorDoorsDeps): void {
  for (const path of ['/healthz', '/health/liveliness']) add('GET', path, answerAlive);
  for (const path of ['/readyz', '/health/readiness']) {
    add('GET', path, (exchange) => answerReady(exchange, deps));
  }
  if (deps.metrics) add('GET', '/metrics', (exchange) => answerMetrics(exchange, deps));
}

function unknown(path: string): Problem {
  const shown = JSON.stringify(path.slice(0, 200));
  return refuse('unknown_endpoint', `There is nothing at ${shown}.`).refused;
}

function wrongMethod(allowed: readonly string[]): Problem {
  const allow = allowed.join(', ');
  return refuse('method_not_allowed', `Only ${allow} may be used here.`, { headers: { allow } })
    .refused;
}
