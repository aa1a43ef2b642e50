// The doors of the stop for all calls.

import type { AdminDeps } from '../../../flows/admin/change.js';
import { readStop, setStop } from '../../../flows/admin/stop.js';
import { stopAnswer } from './answers-policy.js';
import type { AdminRoute } from './doors.js';
import { acting, reading, writing } from './route.js';
import { reasonSchema } from './schemas.js';

export function stopRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    reading('stop', stopAnswer, () => readStop(deps)),
    writing(['POST', 'stop'], reasonSchema, stopAnswer, ({ actor }, { reason }) =>
      setStop(deps, actor, reason),
    ),
    acting(['DELETE', 'stop'], stopAnswer, ({ actor }) => setStop(deps, actor, null)),
  ];
}
