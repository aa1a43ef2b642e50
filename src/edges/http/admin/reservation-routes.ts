// The doors of open reservations: who holds what, and its end by force, with a reason.

import { isRefused } from '../../../core/errors.js';
import * as reservations from '../../../flows/admin/reservations.js';
import { reservationRow } from './answers.js';
import type { AdminRoute } from './doors.js';
import { listing, reading, writing } from './route.js';
import { reasonSchema, reservationListSchema } from './schemas.js';

const LIMIT_DEFAULT = 50;

export function reservationRoutes(deps: reservations.ReservationDeps): AdminRoute[] {
  return [
    listing('reservations', reservationListSchema, reservationRow, async (asked) => {
      const { cursor: offset = 0, limit = LIMIT_DEFAULT } = asked;
      const page = await reservations.listReservations(deps, { offset, limit });
      if (isRefused(page)) return page;
      const { data, nextOffset } = page;
      return { data, nextCursor: nextOffset === null ? null : String(nextOffset) };
    }),
    reading('reservations/:id', reservationRow, ({ id }) => reservations.readReservation(deps, id)),
    writing(
      ['POST', 'reservations/:id/release'],
      reasonSchema,
      reservationRow,
      ({ actor, id }, { reason }) => reservations.releaseReservation(deps, actor, id, reason),
    ),
  ];
}
