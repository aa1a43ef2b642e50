// How many envelopes one call could come to touch, so that a limit which would make a 17th for
// some caller is refused when it is made and not when somebody calls.

import type { DirectorySnapshot, LimitRow } from '../../core/directory.js';
import { isTemplate, scopeValueOf } from './envelopes.js';
import { tierAccess } from './tier.js';

type Rows = Pick<DirectorySnapshot, 'limits' | 'agents' | 'tokenBudgetsByAgent'> &
  Partial<Pick<DirectorySnapshot, 'tiers' | 'tierOverrides' | 'pairs'>>;

/**
 * The most that any call can touch. A call has one value of every dimension, but may carry any
 * number of tags, so tags that limits name all count.
 */
export function countEnvelopes(rows: Rows): number {
  const { limits, agents, tokenBudgetsByAgent } = rows;
  const byScope = new Map<string, Map<string, number>>();
  for (const limit of limits) {
    const counts = byScope.get(limit.scopeType) ?? new Map<string, number>();
    byScope.set(limit.scopeType, counts);
    const key = countKey(limit);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const of = (scopeType: string, value: string | null): number => {
    const counts = byScope.get(scopeType);
    return (counts?.get('*') ?? 0) + (value === null ? 0 : (counts?.get(value) ?? 0));
  };
  let shared = rows.pairs?.size ? 1 : 0;
  for (const [scopeType, counts] of byScope) {
    if (OF_AGENT.has(scopeType)) continue;
    shared += scopeType === 'tag' ? sum(counts) : mostOf(counts, VALUES[scopeType]);
  }
  let most = 0;
  for (const agent of agents.values()) {
    const own =
      of('agent', agent.id) +
      of('agent_type', agent.type) +
      of('project', agent.projectId) +
      (tokenBudgetsByAgent.has(agent.id) ? 1 : 0) +
      (tierAccess(agent, rows)?.limits.length ?? 0);
    most = Math.max(most, own);
  }
  return shared + most;
}

/** A model goes by the public name, its provider's name, and both with a slash. */
const VALUES: Record<string, number> = { model: 3 };

/** Dimensions that come with the agent: nobody calls for one agent and another one's project. */
const OF_AGENT = new Set(['agent', 'agent_type', 'project']);

function countKey(limit: LimitRow): string {
  if (isTemplate(limit)) return '*';
  return scopeValueOf(limit) ?? '';
}

function mostOf(counts: Map<string, number>, values = 1): number {
  const named = [...counts].filter(([value]) => value !== '*').map(([, count]) => count);
  const most = named.sort((left, right) => right - left).slice(0, values);
  return (counts.get('*') ?? 0) + most.reduce((total, count) => total + count, 0);
}

function sum(counts: Map<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
