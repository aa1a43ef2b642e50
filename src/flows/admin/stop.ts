// The stop for all calls: one row in the settings, which every gateway sees within a second. Calls
// under way go on; no new one is taken until the stop is lifted.

import type { Refused } from '../../core/errors.js';
import { STOP_SETTING } from '../../stores/directory-rows.js';
import { type Actor, type AdminDeps, change } from './change.js';

export interface StopState {
  object: 'stop';
  stopped: boolean;
  reason: string | null;
}

export async function readStop(deps: AdminDeps): Promise<StopState> {
  const rows = await deps.database.query<{ reason: string }>(
    `select value->>'reason' as reason from settings where key = $1`,
    [STOP_SETTING],
  );
  return stateOf(rows[0]?.reason ?? null);
}

/** Stops all calls for a reason, or lifts the stop (null). */
export function setStop(
  deps: AdminDeps,
  actor: Actor,
  reason: string | null,
): Promise<StopState | Refused> {
  return change(deps, actor, async (tx, audit) => {
    if (reason === null) {
      await tx.query('delete from settings where key = $1', [STOP_SETTING]);
    } else {
      await tx.query(
        `insert into settings (key, value) values ($1, $2)
         on conflict (key) do update set value = excluded.value`,
        [STOP_SETTING, { reason }],
      );
    }
    const after = stateOf(reason);
    await audit({
      action: reason === null ? 'lift' : 'stop',
      entity: 'calls',
      entityId: 'all',
      after,
      ...(reason !== null && { reason }),
    });
    return after;
  });
}

function stateOf(reason: string | null): StopState {
  return { object: 'stop', stopped: reason !== null, reason };
}
