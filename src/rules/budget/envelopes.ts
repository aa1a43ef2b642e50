// Every budget that a call touches, from whose call it is and what it claims. Claims only ever add
// envelopes: a limit of the key's own agent, project, type or user is found by what the key says.

import { createHash } from 'node:crypto';
import { assert } from '../../core/assert.js';
import type { DirectorySnapshot, LimitRow, TokenBudgetRow } from '../../core/directory.js';
import { type Envelope, FREE_SCOPES, type ScopeType } from '../../core/envelope.js';
import { UTC_CALENDAR } from '../../core/period.js';
import type { Attribution } from '../../core/usage-event.js';
import { pairEnvelope, pairKey } from './pair-envelope.js';
import { tierAccess, tierEnvelopes } from './tier.js';

export const ENVELOPES_MAX = 16;
const VALUE_BYTES_MAX = 64;

/** Whom and what a call is for; model and provider where they are known already. */
export type EnvelopeFacts = Attribution & {
  /** The provider's own name of the model. */
  model?: string;
  /** What else a limit may call it: the public name, `provider/model`. */
  modelNames?: readonly string[];
  provider?: string;
};

export type BudgetRows = Pick<DirectorySnapshot, 'limits' | 'tokenBudgetsByAgent' | 'projects'> &
  Partial<Pick<DirectorySnapshot, 'agents' | 'tiers' | 'tierOverrides' | 'pairs'>>;

/** In canonical order, so that the lines made of them are sorted already. */
export function envelopesFor(facts: EnvelopeFacts, rows: BudgetRows): Envelope[] {
  const index = indexOf(rows.limits);
  const envelopes = [...index.global];
  for (const scopeType of KEYED_SCOPES) {
    const byValue = index.byScope.get(scopeType);
    if (!byValue) continue;
    for (const value of valuesOf(scopeType, facts)) {
      for (const limit of byValue.get(value) ?? []) {
        // A client may well send the text `*`; it is a value like any other.
        if (isTemplate(limit)) continue;
        envelopes.push(fixedEnvelope(limit, readable(scopeType, value, facts, rows)));
      }
      // A model has several names, but makes one envelope of a template.
      if (scopeType === 'model' && value !== facts.model) continue;
      for (const limit of byValue.get(templateKey(scopeType, value)) ?? []) {
        envelopes.push(templateEnvelope(limit, value));
      }
    }
  }
  const tokens = facts.agentId && rows.tokenBudgetsByAgent.get(facts.agentId);
  if (tokens) envelopes.push(tokenEnvelope(tokens, facts.agentName ?? tokens.agentId));
  const agent = facts.agentId === undefined ? undefined : rows.agents?.get(facts.agentId);
  const access = agent && tierAccess(agent, rows);
  if (access) envelopes.push(...tierEnvelopes(agent, access));
  const { person, occasion } = facts;
  if (person !== undefined && occasion !== undefined) {
    const pair = rows.pairs?.get(pairKey(person, occasion));
    if (pair) envelopes.push(pairEnvelope(pair));
  }
  assert(envelopes.length <= ENVELOPES_MAX, `a call touches ${envelopes.length} envelopes`);
  return envelopes.sort((a, b) => (a.id < b.id ? -1 : 1));
}

const KEYED_SCOPES = ['project', 'agent', 'agent_type', ...FREE_SCOPES] as const;

type KeyedScope = (typeof KEYED_SCOPES)[number];

const FACT: Record<Exclude<KeyedScope, 'tag'>, keyof EnvelopeFacts> = {
  project: 'projectId',
  agent: 'agentId',
  agent_type: 'agentType',
  user: 'userId',
  key: 'keyId',
  conversation: 'conversation',
  task: 'task',
  person: 'person',
  occasion: 'occasion',
  end_user: 'endUser',
  model: 'model',
  provider: 'provider',
  issue: 'issue',
  pull_request: 'pullRequest',
};

function valuesOf(scopeType: KeyedScope, facts: EnvelopeFacts): string[] {
  if (scopeType === 'tag') {
    return Object.entries(facts.tags ?? {}).map(([name, value]) => `${name}=${value}`);
  }
  if (scopeType === 'model' && facts.modelNames) {
    return [...new Set([facts.model ?? [], ...facts.modelNames].flat())];
  }
  const value = facts[FACT[scopeType]];
  return typeof value === 'string' && value !== '' ? [value] : [];
}

/** The key of the templates that make an envelope for this value: `*`, of a tag `team=*`. */
function templateKey(scopeType: KeyedScope, value: string): string {
  return scopeType === 'tag' ? `${value.slice(0, value.indexOf('='))}=*` : '*';
}

/** What a limit is found by: the id, type or key that it names; undefined for a global one. */
export function scopeValueOf(limit: LimitRow): string | undefined {
  switch (limit.scopeType) {
    case 'global':
      return undefined;
    case 'project':
    case 'agent':
      return limit.scopeId ?? undefined;
    case 'agent_type':
      return limit.scopeAgentType ?? undefined;
    default:
      return limit.scopeKey ?? undefined;
  }
}

export function isTemplate(limit: LimitRow): boolean {
  const { scopeKey, scopeType } = limit;
  return scopeType === 'tag' ? scopeKey?.endsWith('=*') === true : scopeKey === '*';
}

interface LimitIndex {
  global: Envelope[];
  byScope: Map<ScopeType, Map<string, LimitRow[]>>;
}

// One index a snapshot: a call must not walk through every limit there is.
const indexes = new WeakMap<readonly LimitRow[], LimitIndex>();

function indexOf(limits: readonly LimitRow[]): LimitIndex {
  const known = indexes.get(limits);
  if (known) return known;
  const index: LimitIndex = { global: [], byScope: new Map() };
  for (const limit of limits) {
    if (limit.scopeType === 'global') {
      index.global.push(fixedEnvelope(limit, 'global'));
      continue;
    }
    const value = scopeValueOf(limit);
    if (value === undefined) continue;
    const byValue = index.byScope.get(limit.scopeType) ?? new Map<string, LimitRow[]>();
    index.byScope.set(limit.scopeType, byValue);
    const rows = byValue.get(value);
    if (rows) rows.push(limit);
    else byValue.set(value, [limit]);
  }
  indexes.set(limits, index);
  return index;
}

function readable(
  scopeType: KeyedScope,
  value: string,
  facts: EnvelopeFacts,
  rows: BudgetRows,
): string {
  if (scopeType === 'agent') return `agent:${facts.agentName ?? value}`;
  if (scopeType === 'project') return `project:${rows.projects.get(value)?.name ?? value}`;
  return `${scopeType}:${value}`;
}

function fixedEnvelope(limit: LimitRow, scope: string): Envelope {
  return envelopeOf(limit, `limit:${limit.id}`, scope);
}

function templateEnvelope(limit: LimitRow, value: string): Envelope {
  const scope = `${limit.scopeType}:${value}`;
  return envelopeOf(limit, `limit:${limit.id}:${boundedValue(value)}`, scope);
}

/** Limit and version of a row at a moment: a raise may be over. */
export function limitAt(
  { amount, raise, version }: LimitRow,
  atMs: number,
): { limit: number; version: number } {
  if (!raise) return { limit: amount, version };
  if (atMs < raise.untilMs) return { limit: raise.amount, version };
  return { limit: amount, version: version + 1 };
}

function boundedValue(value: string): string {
  if (Buffer.byteLength(value) <= VALUE_BYTES_MAX) return value;
  return createHash('sha256').update(value).digest('hex');
}

function envelopeOf(limit: LimitRow, id: string, scope: string): Envelope {
  const { unit, period, calendar, mode, strict, visible, onLedgerDown, version } = limit;
  const shared = { unit, period, calendar, mode, strict, visible, onLedgerDown, version };
  const { amount, raise, thresholds } = limit;
  const plain = { id, scope, ...shared, limit: amount, thresholds };
  if (!raise) return plain;
  const after = { fromMs: raise.untilMs, limit: amount, version: version + 1 };
  return { ...plain, limit: raise.amount, later: [after] };
}

/** The allocation of an agent: it never renews, and always blocks. */
function tokenEnvelope(row: TokenBudgetRow, agentName: string): Envelope {
  return {
    id: `tokens:${row.agentId}`,
    scope: `agent:${agentName}`,
    unit: 'tokens',
    period: 'ever',
    calendar: UTC_CALENDAR,
    limit: row.allocatedTokens,
    mode: 'block',
    strict: false,
    visible: true,
    onLedgerDown: 'refuse',
    version: row.version,
    thresholds: [],
  };
}
