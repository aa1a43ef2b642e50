// The doors of what an operator decides beside limits: token envelopes, the stop for all calls.

import type { AdminDeps } from '../../../flows/admin/change.js';
import { budgetRoutes } from './budget-routes.js';
import type { AdminRoute } from './doors.js';
import { stopRoutes } from './stop-routes.js';

export function policyRoutes(deps: AdminDeps): AdminRoute[] {
  return [...budgetRoutes(deps), ...stopRoutes(deps)];
}
