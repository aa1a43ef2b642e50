// The doors of the stop for all calls.

import { isRefused } from '../../../core/errors.js';
import type { AdminDeps } from '../../../flows/admin/change.js';
import { readStop, setStop } from '../../../flows/admin/stop.js';
import { type AdminRoute, answered, ok } from './doors.js';
import { readAs } from './read.js';
import { reasonSchema } from './schemas.js';

export function stopRoutes(deps: AdminDeps): AdminRoute[] {
  const path = 'stop';
  return [
    { method: 'GET', path, kind: 'read', door: async () => ok(await readStop(deps)) },
    {
      method: 'POST',
      path,
      kind: 'write',
      body: reasonSchema,
      async door({ exchange, actor }) {
        const read = await readAs(exchange, reasonSchema);
        if (read === undefined || isRefused(read)) return read;
        return answered(await setStop(deps, actor, read.input.reason));
      },
    },
    {
      method: 'DELETE',
      path,
      kind: 'write',
      door: async ({ actor }) => answered(await setStop(deps, actor, null)),
    },
  ];
}
