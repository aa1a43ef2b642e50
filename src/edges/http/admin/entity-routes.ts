// The doors that entities have in common, from the flows and schemas of one of them.

import type { z } from 'zod';
import { isRefused, type Refused } from '../../../core/errors.js';
import type { Actor } from '../../../flows/admin/change.js';
import type { EntityRow, ListRequest } from '../../../flows/admin/entity.js';
import type { Page } from '../../../flows/admin/page.js';
import { type AdminRoute, answered, listed } from './doors.js';
import { readAs, readQuery } from './read.js';
import { listSchema } from './schemas.js';

type Outcome<T> = Promise<T | Refused>;

interface EntityFlows<New extends z.ZodType, Changed extends z.ZodType> {
  list(request: ListRequest): Outcome<Page<EntityRow>>;
  read(id: string): Outcome<EntityRow>;
  create: [New, (actor: Actor, input: z.output<New>) => Outcome<EntityRow>];
  change: [Changed, (actor: Actor, id: string, input: z.output<Changed>) => Outcome<EntityRow>];
  remove(actor: Actor, id: string): Outcome<EntityRow>;
}

/** List, one, POST, PATCH and DELETE of an entity. */
export function entityRoutes<New extends z.ZodType, Changed extends z.ZodType>(
  path: string,
  flows: EntityFlows<New, Changed>,
): AdminRoute[] {
  const [newSchema, create] = flows.create;
  const [changeSchema, change] = flows.change;
  return [
    recordRoute(path, listSchema, flows.list),
    {
      method: 'GET',
      path: `${path}/:id`,
      kind: 'read',
      door: async ({ id }) => answered(await flows.read(id)),
    },
    {
      method: 'POST',
      path,
      kind: 'write',
      body: newSchema,
      async door({ exchange, actor }) {
        const read = await readAs(exchange, newSchema);
        if (read === undefined || isRefused(read)) return read;
        return answered(await create(actor, read.input), 201);
      },
    },
    {
      method: 'PATCH',
      path: `${path}/:id`,
      kind: 'write',
      body: changeSchema,
      async door({ exchange, actor, id }) {
        const read = await readAs(exchange, changeSchema);
        if (read === undefined || isRefused(read)) return read;
        return answered(await change(actor, id, read.input));
      },
    },
    {
      method: 'DELETE',
      path: `${path}/:id`,
      kind: 'write',
      door: async ({ actor, id }) => answered(await flows.remove(actor, id)),
    },
  ];
}

/** A list that is only read. */
export function recordRoute<S extends z.ZodType>(
  path: string,
  schema: S,
  list: (request: z.output<S>) => Outcome<Page<EntityRow>>,
): AdminRoute {
  return {
    method: 'GET',
    path,
    kind: 'read',
    query: schema,
    async door({ exchange }) {
      const request = readQuery(exchange, schema);
      return isRefused(request) ? request : listed(await list(request));
    },
  };
}
