// The HTTP edge alone, with a handle that notes what reached it: for tests whose subject is the
// edge itself.

import type { Call, Caller } from '#src/core/call.js';
import { type Refused, refuse } from '#src/core/errors.js';
import type { Log } from '#src/core/log.js';
import { realClock } from '#src/drivers/clock.js';
import { createCallerDoors } from '#src/edges/http/caller-doors.js';
import { createProxy } from '#src/edges/http/proxy.js';
import { type OpenServer, openServer, type ServerOptions } from '#src/edges/http/server.js';
import { readChatCall } from '#src/rules/dialects/chat-call.js';

export const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {} };
export const KEY = 'sk-good';

export interface Edge {
  server: OpenServer;
  port: number;
  calls: Call[];
  errors: unknown[];
}

export type Handle = (call: Call) => Promise<Refused | undefined>;

export async function openEdge(
  options: Partial<ServerOptions> & {
    handle?: Handle;
    bodyBytesMax?: number;
    bodyIdleMs?: number;
    callsMax?: number;
  } = {},
): Promise<Edge> {
  const calls: Call[] = [];
  const errors: unknown[] = [];
  const log: Log = { ...QUIET, error: (fields) => errors.push(fields.error) };
  const authenticate = ({ credential }: { credential: string }): Caller | Refused => {
    if (credential === KEY) return CALLER;
    if (credential === 'sk-admin') return refuse('insufficient_permissions', 'An admin key.');
    const headers = { 'www-authenticate': 'Bearer realm="purser"' };
    return refuse('invalid_api_key', 'Unknown key.', { headers });
  };
  const proxy = createProxy(
    {
      clock: realClock,
      log,
      authenticate,
      readCall: (_operation, raw) => readChatCall(raw),
      async handle(call) {
        calls.push(call);
        return (options.handle ?? answerOk)(call);
      },
    },
    {
      bodyBytesMax: options.bodyBytesMax ?? 100_000,
      bodyIdleMs: options.bodyIdleMs ?? 1_000,
      callsMax: options.callsMax ?? 100,
    },
  );
  const caller = createCallerDoors({
    authenticate,
    listModels: () => [{ id: 'openai/gpt-4o', ownedBy: 'openai' }],
    budgetOf: async () => [],
  });
  const server = await openServer({
    host: '127.0.0.1',
    port: 0,
    clock: realClock,
    log,
    clients: { proxy, caller },
    operators: { ready: async () => ({ ok: true, checks: { ledger: 'ok' } }) },
    ...options,
  });
  return { server, port: server.port, calls, errors };
}

async function answerOk(call: Call): Promise<undefined> {
  const bytes = Buffer.from(JSON.stringify({ ok: true }));
  call.sink.head(200, { 'content-type': 'application/json' });
  call.sink.end(bytes);
  return undefined;
}

const CALLER: Caller = {
  keyId: 'key-1',
  attribution: { keyId: 'key-1' },
  allowedModels: null,
  modelConfig: {},
  envelopes: [],
};
