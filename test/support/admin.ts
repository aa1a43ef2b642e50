// A gateway's admin side on a fresh database: bootstrapped rows, a live directory, real listener.

import type { Call } from '#src/core/call.js';
import { realClock } from '#src/drivers/clock.js';
import type { Database } from '#src/drivers/database.js';
import { createAdminDoors } from '#src/edges/http/admin/routes.js';
import { createCallerDoors } from '#src/edges/http/caller-doors.js';
import { createProxy } from '#src/edges/http/proxy.js';
import { openServer } from '#src/edges/http/server.js';
import type { ConfiguredRows } from '#src/flows/admin/apply-config.js';
import { type Bootstrapped, bootstrap } from '#src/flows/admin/bootstrap.js';
import { authenticate } from '#src/flows/call/authenticate.js';
import { envelopesFor } from '#src/rules/budget/envelopes.js';
import { loadPepper, openKeyVerifier } from '#src/stores/api-keys.js';
import { openDirectory } from '#src/stores/directory.js';
import type { OpenHold } from '#src/stores/ledger/ledger.js';
import { QUIET } from './edge.js';

export const ROWS: ConfiguredRows = {
  projects: [{ name: 'demo', description: null, githubRepo: null }],
  agents: [
    { name: 'coder-1', type: 'coder', project: 'demo', tier: 4, modelConfig: { max_tokens: 9 } },
  ],
  limits: [],
};

export interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came.
  body: any;
  headers: Headers;
}

export interface Admin {
  made: Bootstrapped;
  database: Database;
  holds: OpenHold[];
  directory: Awaited<ReturnType<typeof openDirectory>>;
  /** As the owner unless another key is given; `null` sends none. */
  ask(method: string, path: string, body?: unknown, key?: string | null): Promise<Answer>;
  /** Without a key, as it came. */
  raw(path: string): Promise<Response>;
  close(): Promise<void>;
}

export async function openAdmin(
  database: Database,
  options: { rows?: ConfiguredRows; adminKey?: string; nowMs?: () => number } = {},
): Promise<Admin> {
  const clock = { ...realClock, nowMs: options.nowMs ?? realClock.nowMs };
  const pepper = await loadPepper(database, undefined);
  const directory = await openDirectory({ database, clock, log: QUIET });
  const deps = { database, clock, log: QUIET, directory, pepper };
  const adminKey = options.adminKey ?? null;
  const made = await bootstrap(deps, { rows: options.rows ?? ROWS, adminKey }).catch(
    async (error: unknown) => {
      await directory.close();
      throw error;
    },
  );
  const keys = openKeyVerifier(pepper);
  const holds: OpenHold[] = [];
  const ledger = {
    holds: async ({ offset, limit }: { offset: number; limit: number }) => ({
      holds: holds.slice(offset, offset + limit),
      total: holds.length,
    }),
    nowMs: () => clock.nowMs(),
    adjust: async () => {
      throw new Error('nothing is adjusted here');
    },
    release: async (id: string) => {
      holds.splice(0, holds.length, ...holds.filter((hold) => hold.id !== id));
      const answer = 'RELEASED' as const;
      return { answer, balances: [], seq: 1, epoch: 1, timeMs: 0 };
    },
  };
  const identify = (part: Pick<Call, 'credential' | 'claims'>) =>
    authenticate({ keys, envelopesFor }, part, directory.snapshot(), clock.nowMs());
  const server = await openServer({
    host: '127.0.0.1',
    port: 0,
    clock,
    log: QUIET,
    clients: {
      proxy: createProxy(
        {
          clock,
          log: QUIET,
          authenticate: identify,
          readCall: () => {
            throw new Error('no call is made here');
          },
          handle: async () => undefined,
        },
        { bodyBytesMax: 1_000, bodyIdleMs: 1_000, callsMax: 10 },
      ),
      caller: createCallerDoors({
        authenticate: identify,
        listModels: (caller) => [{ id: String(caller.attribution.agentName), ownedBy: 'x' }],
        budgetOf: async () => [],
      }),
    },
    more: createAdminDoors({
      ...deps,
      ledger,
      spool: { released() {}, ended: async () => {} },
      auth: {
        verify: (credential) => keys.verify(credential, directory.snapshot(), clock.nowMs()),
      },
    }),
  });
  const ownerKey = made.adminKey ?? options.adminKey ?? null;
  return {
    made,
    database,
    holds,
    directory,
    async ask(method, path, body, key = ownerKey) {
      const answer = await fetch(`${server.address}${path}`, {
        method,
        headers: {
          ...(key !== null && { authorization: `Bearer ${key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && {
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
      });
      const text = await answer.text();
      return {
        status: answer.status,
        body: text === '' ? undefined : JSON.parse(text),
        headers: answer.headers,
      };
    },
    raw: (path) => fetch(`${server.address}${path}`),
    async close() {
      await server.close(0);
      await directory.close();
    },
  };
}
