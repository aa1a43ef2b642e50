// The few shapes that admin routes have, so that a table of them says only what differs: what is
// taken, what is done, what is answered.

import type { z } from 'zod';
import { isRefused, type Refused } from '../../../core/errors.js';
import type { Page } from '../../../flows/admin/page.js';
import type { Method } from '../app.js';
import * as answers from './answers.js';
import { type AdminDoor, type AdminRoute, type Ask, answered, listed } from './doors.js';
import { readAs, readQuery } from './read.js';

type Outcome = Promise<unknown>;

/** POST or PATCH with a body; what comes back is answered with the status of the route. */
export function writing<S extends z.ZodType>(
  [method, path]: readonly [Method, string],
  schema: S,
  answer: z.ZodType,
  act: (ask: Ask, input: z.output<S>) => Outcome,
  status: 200 | 201 = 200,
): AdminRoute {
  const door: AdminDoor = async (ask) => {
    const read = await readAs(ask.exchange, schema);
    if (read === undefined || isRefused(read)) return read;
    return answered(await act(ask, read.input), status);
  };
  return { method, path, kind: 'write', body: schema, answer, status, door };
}

/** POST or DELETE without a body. */
export function acting(
  [method, path]: readonly [Method, string],
  answer: z.ZodType,
  act: (ask: Ask) => Outcome,
  status: 200 | 201 = 200,
): AdminRoute {
  const door: AdminDoor = async (ask) => answered(await act(ask), status);
  return { method, path, kind: 'write', answer, status, door };
}

export function reading(path: string, answer: z.ZodType, read: (ask: Ask) => Outcome): AdminRoute {
  const door: AdminDoor = async (ask) => answered(await read(ask));
  return { method: 'GET', path, kind: 'read', answer, status: 200, door };
}

/** A list, a page at a time. */
export function listing<S extends z.ZodType>(
  path: string,
  query: S,
  row: z.ZodType,
  list: (request: z.output<S>) => Promise<Page<unknown> | Refused>,
): AdminRoute {
  const door: AdminDoor = async ({ exchange }) => {
    const request = readQuery(exchange, query);
    return isRefused(request) ? request : listed(await list(request));
  };
  const answer = answers.list(row);
  return { method: 'GET', path, kind: 'read', query, answer, status: 200, door };
}
