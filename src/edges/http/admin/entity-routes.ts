// The doors that entities have in common, from the flows and schemas of one of them.

import type { z } from 'zod';
import type { Refused } from '../../../core/errors.js';
import type { Actor } from '../../../flows/admin/change.js';
import type { EntityRow, ListRequest } from '../../../flows/admin/entity.js';
import type { Page } from '../../../flows/admin/page.js';
import type { AdminRoute } from './doors.js';
import { acting, listing, reading, writing } from './route.js';
import { listSchema } from './schemas.js';

type Outcome<T> = Promise<T | Refused>;

interface EntityFlows<New extends z.ZodType, Changed extends z.ZodType> {
  /** How a row of it is shown, and one that was just made if that is more. */
  row: z.ZodType;
  madeRow?: z.ZodType;
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
  const { row, madeRow = row } = flows;
  const one = `${path}/:id`;
  return [
    listing(path, listSchema, row, flows.list),
    reading(one, row, ({ id }) => flows.read(id)),
    writing(['POST', path], newSchema, madeRow, ({ actor }, input) => create(actor, input), 201),
    writing(['PATCH', one], changeSchema, row, ({ actor, id }, input) => change(actor, id, input)),
    acting(['DELETE', one], row, ({ actor, id }) => flows.remove(actor, id)),
  ];
}
