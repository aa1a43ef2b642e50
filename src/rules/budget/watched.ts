// The limit and the thresholds of an envelope by its id alone: for whoever has only rows. What the
// directory no longer knows is not watched.

import type { DirectorySnapshot, LimitRow, PairRow } from '../../core/directory.js';
import { settingAt } from '../../core/envelope.js';
import { isTemplate, limitAt } from './envelopes.js';
import { pairEnvelope } from './pair-envelope.js';

export interface Watched {
  /** What people read. */
  scope: string;
  limit: number;
  /** Ascending, the whole limit (1) among them. */
  thresholds: readonly number[];
  /** Whose owner is told; null: every admin. */
  projectId: string | null;
  agentId: string | null;
}

interface Index {
  limits: Map<string, LimitRow>;
  pairs: Map<string, PairRow>;
}

const indexes = new WeakMap<DirectorySnapshot, Index>();
const DEFAULT_THRESHOLDS = [0.8];

export function watchedEnvelope(
  id: string,
  snapshot: DirectorySnapshot,
  atMs: number,
): Watched | undefined {
  const [kind = '', key = ''] = id.split(':');
  const { limits, pairs } = indexOf(snapshot);
  if (kind === 'tokens') return ofTokens(key, snapshot);
  if (kind === 'pair') {
    const pair = pairs.get(key);
    const limit = pair && settingAt(pairEnvelope(pair), atMs).limit;
    if (!pair || !limit) return undefined;
    return watched(pair.scope, limit, DEFAULT_THRESHOLDS, null, null);
  }
  const row = kind === 'limit' ? limits.get(key) : undefined;
  if (!row) return undefined;
  const value = isTemplate(row) ? id.slice(`limit:${key}:`.length) : undefined;
  const scope = value === undefined ? row.name : `${row.scopeType}:${value}`;
  const { limit } = limitAt(row, atMs);
  const agent = row.scopeType === 'agent' ? snapshot.agents.get(row.scopeId ?? '') : undefined;
  const projectId = row.scopeType === 'project' ? row.scopeId : (agent?.projectId ?? null);
  return watched(scope, limit, row.thresholds, projectId, agent?.id ?? null);
}

/** Period and calendar of a limit's envelope; no other kind of envelope ever begins anew. */
export function periodOf(
  id: string,
  snapshot: DirectorySnapshot,
): Pick<LimitRow, 'period' | 'calendar'> | undefined {
  const [kind, key = ''] = id.split(':');
  return kind === 'limit' ? indexOf(snapshot).limits.get(key) : undefined;
}

function ofTokens(agentId: string, snapshot: DirectorySnapshot): Watched | undefined {
  const row = snapshot.tokenBudgetsByAgent.get(agentId);
  const agent = snapshot.agents.get(agentId);
  if (!row || !agent) return undefined;
  const scope = `agent:${agent.name}`;
  const { allocatedTokens } = row;
  return watched(scope, allocatedTokens, DEFAULT_THRESHOLDS, agent.projectId, agentId);
}

function watched(
  scope: string,
  limit: number,
  thresholds: readonly number[],
  projectId: string | null,
  agentId: string | null,
): Watched | undefined {
  if (limit === 0) return undefined;
  const all = [...new Set([...thresholds, 1])].sort((left, right) => left - right);
  return { scope, limit, thresholds: all, projectId, agentId };
}

function indexOf(snapshot: DirectorySnapshot): Index {
  const known = indexes.get(snapshot);
  if (known) return known;
  const limits = new Map(snapshot.limits.map((row) => [row.id, row]));
  const pairs = new Map([...(snapshot.pairs?.values() ?? [])].map((row) => [row.id, row]));
  const index = { limits, pairs };
  indexes.set(snapshot, index);
  return index;
}
