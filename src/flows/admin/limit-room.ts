// A call touches at most 16 envelopes. Whether some caller could touch more is decided when limits
// and agents change, never when a call comes: of every dimension that a client may name, the worst
// value counts, and templates count for all.

import type { AgentRow, LimitRow } from '../../core/directory.js';
import { type Refused, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Queryable } from '../../drivers/database.js';
import { readRows } from '../../stores/directory-rows.js';

export const ENVELOPES_PER_CALL_MAX = 16;

/** Refuses what `tx` has changed if some agent's call could now touch too many envelopes. */
export async function refuseCrowd(tx: Queryable, log: Log): Promise<Refused | undefined> {
  // Two changes at once must not each find the last room.
  await tx.query(`select pg_advisory_xact_lock(hashtext('purser.limits'))`);
  const { agents, limits, tokenBudgetsByAgent } = await readRows(tx, log);
  for (const agent of agents.values()) {
    if (!agent.isActive) continue;
    const count = envelopesAtMost(agent, limits) + (tokenBudgetsByAgent.has(agent.id) ? 1 : 0);
    if (count > ENVELOPES_PER_CALL_MAX) {
      return refuse(
        'invalid_value',
        `A call of the agent ${agent.name} could then touch ${count} limits; ` +
          `${ENVELOPES_PER_CALL_MAX} is the most. Make one of its limits inactive first.`,
      );
    }
  }
  return undefined;
}

/** The most envelopes that one call of this agent can touch, whatever the client claims. */
export function envelopesAtMost(
  agent: Pick<AgentRow, 'id' | 'type' | 'projectId'>,
  limits: readonly LimitRow[],
): number {
  let count = 0;
  const byDimension = new Map<string, Map<string, number>>();
  for (const limit of limits) {
    switch (limit.scopeType) {
      case 'global':
        count += 1;
        break;
      case 'project':
        if (limit.scopeId === agent.projectId) count += 1;
        break;
      case 'agent':
        if (limit.scopeId === agent.id) count += 1;
        break;
      case 'agent_type':
        if (limit.scopeAgentType === agent.type) count += 1;
        break;
      default: {
        const values = byDimension.get(limit.scopeType) ?? new Map<string, number>();
        const value = limit.scopeKey ?? '*';
        values.set(value, (values.get(value) ?? 0) + 1);
        byDimension.set(limit.scopeType, values);
      }
    }
  }
  for (const values of byDimension.values()) {
    const templates = values.get('*') ?? 0;
    values.delete('*');
    count += templates + Math.max(0, ...values.values());
  }
  return count;
}
