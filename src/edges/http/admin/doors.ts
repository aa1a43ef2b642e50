// What admin doors have in common: how a route is said, what it is asked and what it hands back.
// A route says its method, path and least role in one table (`routes.ts`); nothing is reachable
// without one.

import type { z } from 'zod';
import { isRefused, type Refused } from '../../../core/errors.js';
import type { Actor } from '../../../flows/admin/change.js';
import type { Method } from '../app.js';
import type { Exchange } from '../exchange.js';

/** What a door hands back: the body, with 201 and 204 where they are due. */
export interface Answer {
  status: number;
  body: unknown;
  /** Sent instead of the body. */
  csv?: string;
  /** It was asked before, and this is what was answered. */
  replayed?: true;
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
  /** What it answers when it has done its work, and with which status. */
  answer: z.ZodType;
  status: 200 | 201;
  /** It may also answer with CSV. */
  csv?: true;
  /** It books in the ledger before its change is committed: what fails may have been booked. */
  books?: true;
  door: AdminDoor;
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
