// The doors of open reservations: who holds what, and its end by force, with a reason.

import { isRefused } from '../../../core/errors.js';
import * as reservations from '../../../flows/admin/reservations.js';
import { type AdminDoor, type AdminRoute, answered, listed } from './doors.js';
import { readAs, readQuery } from './read.js';
import { reasonSchema, reservationListSchema } from './schemas.js';

const LIMIT_DEFAULT = 50;

export function reservationRoutes(deps: reservations.ReservationDeps): AdminRoute[] {
  const list: AdminDoor = async ({ exchange }) => {
    const asked = readQuery(exchange, reservationListSchema);
    if (isRefused(asked)) return asked;
    const page = await reservations.listReservations(deps, {
      offset: asked.cursor ?? 0,
      limit: asked.limit ?? LIMIT_DEFAULT,
    });
    if (isRefused(page)) return page;
    const nextCursor = page.nextOffset === null ? null : String(page.nextOffset);
    return listed({ data: page.data, nextCursor });
  };
  const release: AdminDoor = async ({ exchange, actor, id }) => {
    const read = await readAs(exchange, reasonSchema);
    if (read === undefined || isRefused(read)) return read;
    return answered(await reservations.releaseReservation(deps, actor, id, read.input.reason));
  };
  return [
    { method: 'GET', path: 'reservations', kind: 'read', query: reservationListSchema, door: list },
    {
      method: 'GET',
      path: 'reservations/:id',
      kind: 'read',
      door: async ({ id }) => answered(await reservations.readReservation(deps, id)),
    },
    {
      method: 'POST',
      path: 'reservations/:id/release',
      kind: 'write',
      body: reasonSchema,
      door: release,
    },
  ];
}
