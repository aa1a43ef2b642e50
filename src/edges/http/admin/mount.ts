// Admin routes as doors of the server: who may, in which role, how an answer looks, and what is
// said while SQL is away.

import type { AdminRole, KeyRow } from '../../../core/directory.js';
import { isRefused, type Refused, refuse } from '../../../core/errors.js';
import type { Log } from '../../../core/log.js';
import type { Queryable } from '../../../drivers/database.js';
import type { Actor } from '../../../flows/admin/change.js';
import type { Door, Method } from '../app.js';
import { answerJson, answerProblem, answerText, type Exchange } from '../exchange.js';
import type { AdminRoute, Answer } from './doors.js';
import { doOnce } from './once.js';
import { refuseSql } from './refuse-sql.js';

export interface MountDeps {
  auth: AdminAuth;
  database: Queryable;
  log: Log;
}

export interface AdminAuth {
  /** The key's row if it is good now. */
  verify(credential: string): KeyRow | Refused;
}

const ROLES: Record<AdminRoute['kind'], readonly AdminRole[]> = {
  read: ['owner', 'operator', 'finance'],
  write: ['owner', 'operator'],
};
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function mountAdmin(
  routes: readonly AdminRoute[],
  deps: MountDeps,
): (readonly [Method, string, Door])[] {
  return routes.map((route) => {
    const { method, path, kind, door } = route;
    const open: Door = async (exchange, context) => {
      const actor = authorize(exchange, deps.auth, kind);
      if (isRefused(actor)) return answerProblem(exchange, actor.refused);
      const id = context.req.param('id') ?? '';
      const key = context.req.param('key') ?? '';
      if (path.includes(':id') && !ID.test(id)) {
        return answerProblem(
          exchange,
          refuse('not_found', 'There is nothing with this id.').refused,
        );
      }
      const ask = { exchange, actor, id: id.toLowerCase(), key };
      const isRepeatable = method === 'POST' && kind === 'write';
      const doing = isRepeatable ? doOnce(deps, route, ask) : door(ask);
      const answer = await doing.catch(refuseSql);
      if (answer === undefined) return;
      if (isRefused(answer)) answerProblem(exchange, answer.refused);
      else send(exchange, answer);
    };
    return [method, `/admin/v1/${path}`, open] as const;
  });
}

function send(exchange: Exchange, { status, body, csv, replayed }: Answer): void {
  const headers = {
    'cache-control': 'no-store',
    ...(replayed && { 'idempotency-replayed': 'true' }),
  };
  if (csv === undefined) return answerJson(exchange, status, body, headers);
  answerText(exchange, status, csv, {
    ...headers,
    'content-type': 'text/csv; charset=utf-8; header=present',
  });
}

function authorize(exchange: Exchange, auth: AdminAuth, kind: AdminRoute['kind']): Actor | Refused {
  const { credential } = exchange.said;
  if (isRefused(credential)) return credential;
  const row = auth.verify(credential);
  if (isRefused(row)) return row;
  if (row.kind !== 'admin' || row.role === null) {
    return refuse('insufficient_permissions', "An agent's key opens no admin door.");
  }
  if (!ROLES[kind].includes(row.role)) {
    return refuse('insufficient_permissions', `The role ${row.role} may only read.`);
  }
  const { requestId } = exchange;
  return { kind: 'admin_key', id: row.id, via: 'api', role: row.role, requestId };
}
