// The doors of what an operator decides beside limits: token envelopes, tiers, people and
// occasions, exchange rates, the stop for all calls.

import type { PairDeps } from '../../../flows/admin/person-occasions.js';
import { budgetRoutes } from './budget-routes.js';
import type { AdminRoute } from './doors.js';
import { peopleRoutes } from './people-routes.js';
import { stopRoutes } from './stop-routes.js';
import { tierRoutes } from './tier-routes.js';

export function policyRoutes(deps: PairDeps): AdminRoute[] {
  return [...budgetRoutes(deps), ...tierRoutes(deps), ...peopleRoutes(deps), ...stopRoutes(deps)];
}
