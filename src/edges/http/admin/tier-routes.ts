// The doors of tiers and of what projects have otherwise.

import { isRefused } from '../../../core/errors.js';
import type { AdminDeps } from '../../../flows/admin/change.js';
import * as tiers from '../../../flows/admin/tiers.js';
import { type AdminRoute, answered, listed } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { readAs } from './read.js';
import { newOverrideSchema, overrideSchema, tierSchema } from './schemas-policy.js';

export function tierRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: 'tiers',
      kind: 'read',
      door: async () => listed(await tiers.listTiers(deps)),
    },
    {
      method: 'GET',
      path: 'tiers/:key',
      kind: 'read',
      door: async ({ key }) => answered(await tiers.readTier(deps.database, tierOf(key))),
    },
    {
      method: 'PATCH',
      path: 'tiers/:key',
      kind: 'write',
      body: tierSchema,
      async door({ exchange, actor, key }) {
        const read = await readAs(exchange, tierSchema);
        if (read === undefined || isRefused(read)) return read;
        return answered(await tiers.changeTier(deps, actor, tierOf(key), read.input));
      },
    },
    ...entityRoutes('tier-overrides', {
      list: (request) => tiers.listOverrides(deps, request),
      read: (id) => tiers.readOverride(deps, id),
      create: [newOverrideSchema, (...args) => tiers.createOverride(deps, ...args)],
      change: [overrideSchema, (...args) => tiers.changeOverride(deps, ...args)],
      remove: (...args) => tiers.removeOverride(deps, ...args),
    }),
  ];
}

/** What is no tier is one that nobody finds. */
function tierOf(key: string): number {
  return /^[1-9]$/.test(key) ? Number(key) : 0;
}
