// The admin doors' common part: who may, in which role, and how an answer looks. A door says its
// method, path and least role in one table (`routes.ts`); nothing is reachable without one.

import type { z } from 'zod';
import type { AdminRole, KeyRow } from '../../../core/directory.js';
import { isRefused, type Refused, refuse } from '../../../core/errors.js';
import { isUnreachable } from '../../../drivers/database.js';
import type { Actor } from '../../../flows/admin/change.js';
import type { Door, Method } from '../app.js';
import { answerJson, answerProblem, answerText, type Exchange } from '../exchange.js';
import { credentialOf } from '../headers.js';

export interface AdminAuth {
  /** The key's row if it is good now. */
  verify(credential: string): KeyRow | Refused;
}

/** What a door hands back: the body, with 201 and 204 where they are due. */
export interface Answer {
  status: number;
  body: unknown;
  /** Sent instead of the body. */
  csv?: string;
}

export interface Ask {
  exchange: Exchange;
  actor: Actor;
  /** The `:id` of the path. */
  id: string;
  /** The `:key` of the path, which is no id. */
  key: string;
}

export type AdminDoor = (ask: Ask) => Promise<Answer | Refused | undefined>;

export interface AdminRoute {
  method: Method;
  path: string;
  /** Reading is for every role; writing is not for finance. */
  kind: 'read' | 'write';
  /** What its door checks the body and the query with: for the description of the API. */
  body?: z.ZodType;
  query?: z.ZodType;
  door: AdminDoor;
}

const ROLES: Record<AdminRoute['kind'], readonly AdminRole[]> = {
  read: ['owner', 'operator', 'finance'],
  write: ['owner', 'operator'],
};
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function mountAdmin(
  routes: readonly AdminRoute[],
  auth: AdminAuth,
): (readonly [Method, string, Door])[] {
  return routes.map(({ method, path, kind, door }) => {
    const open: Door = async (exchange, context) => {
      const actor = authorize(exchange, auth, kind);
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
      const answer = await door(ask).catch(refuseUnreachable);
      if (answer === undefined) return;
      if (isRefused(answer)) answerProblem(exchange, answer.refused);
      else send(exchange, answer);
    };
    return [method, `/admin/v1/${path}`, open] as const;
  });
}

function refuseUnreachable(error: unknown): Refused {
  if (!isUnreachable(error)) throw error;
  const message =
    'The database cannot be reached now. If this was to change something, look first whether it ' +
    'did, or ask again with the same Idempotency-Key.';
  return refuse('database_unavailable', message, { headers: { 'retry-after': '5' } });
}

function send(exchange: Exchange, { status, body, csv }: Answer): void {
  const headers = { 'cache-control': 'no-store' };
  if (csv === undefined) return answerJson(exchange, status, body, headers);
  answerText(exchange, status, csv, {
    ...headers,
    'content-type': 'text/csv; charset=utf-8; header=present',
  });
}

function authorize(exchange: Exchange, auth: AdminAuth, kind: AdminRoute['kind']): Actor | Refused {
  const credential = credentialOf(exchange.incoming);
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

export function ok(body: unknown, status = 200): Answer {
  return { status, body };
}

/** A value of a flow as an answer; a refusal as it is. */
export function answered<T>(value: T | Refused, status = 200): Answer | Refused {
  return isRefused(value) ? value : ok(value, status);
}

/** A page in the shape of a list. */
export function listed(
  page: { data: readonly unknown[]; nextCursor: string | null } | Refused,
): Answer | Refused {
  if (isRefused(page)) return page;
  const { data, nextCursor } = page;
  return ok({ object: 'list', data, has_more: nextCursor !== null, next_cursor: nextCursor });
}
