// The doors of tiers and of what projects have otherwise.

import type { AdminDeps } from '../../../flows/admin/change.js';
import type { PageRequest } from '../../../flows/admin/page.js';
import * as tiers from '../../../flows/admin/tiers.js';
import { overrideRow, tierRow } from './answers-policy.js';
import type { AdminRoute } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { listing, reading, writing } from './route.js';
import { pageSchema } from './schemas.js';
import { newOverrideSchema, overrideSchema, tierSchema } from './schemas-policy.js';

export function tierRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    listing('tiers', pageSchema, tierRow, (request) => tiers.listTiers(deps, request)),
    reading('tiers/:key', tierRow, ({ key }) => tiers.readTier(deps.database, tierOf(key))),
    writing(['PATCH', 'tiers/:key'], tierSchema, tierRow, ({ actor, key }, input) =>
      tiers.changeTier(deps, actor, tierOf(key), input),
    ),
    ...overrideRoutes(deps),
  ];
}

function overrideRoutes(deps: AdminDeps): AdminRoute[] {
  const path = 'tier-overrides';
  const list = (request: PageRequest) => tiers.listOverrides(deps, request);
  // They have no names to ask for.
  const [, ...others] = entityRoutes(path, {
    ...{ row: overrideRow, list },
    read: (id) => tiers.readOverride(deps, id),
    create: [newOverrideSchema, (...args) => tiers.createOverride(deps, ...args)],
    change: [overrideSchema, (...args) => tiers.changeOverride(deps, ...args)],
    remove: (...args) => tiers.removeOverride(deps, ...args),
  });
  return [listing(path, pageSchema, overrideRow, list), ...others];
}

/** What is no tier is one that nobody finds. */
function tierOf(key: string): number {
  return /^[1-9]$/.test(key) ? Number(key) : 0;
}
