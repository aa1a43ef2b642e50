// A call touches at most so many envelopes. Whether some caller could touch more is decided when
// limits and agents change, never when a call comes.

import { type Refused, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Queryable } from '../../drivers/database.js';
import { countEnvelopes } from '../../rules/budget/count-envelopes.js';
import { ENVELOPES_MAX } from '../../rules/budget/envelopes.js';
import { readRows } from '../../stores/directory-rows.js';

/** Refuses what `tx` has changed if some agent's call could now touch too many envelopes. */
export async function refuseCrowd(tx: Queryable, log: Log): Promise<Refused | undefined> {
  // Two changes at once must not each find the last room.
  await tx.query(`select pg_advisory_xact_lock(hashtext('purser.limits'))`);
  const rows = await readRows(tx, log);
  const active = [...rows.agents].filter(([, agent]) => agent.isActive);
  const count = countEnvelopes({ ...rows, agents: new Map(active) });
  if (count <= ENVELOPES_MAX) return undefined;
  return refuse(
    'invalid_value',
    `One call could then touch ${count} limits; ${ENVELOPES_MAX} is the most. ` +
      'Make another limit that it touches inactive first.',
  );
}
