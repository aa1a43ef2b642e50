// The columns of the rows that a batch inserts: their type, the value of a row, and how SQL gets
// it. A foreign key whose row is gone becomes null here, so that a deletion never costs a record.

import { uuidV7 } from '../../core/id.js';
import type { Attribution } from '../../core/usage-event.js';
import type { Resolved } from './attribution.js';
import { cut, jsonText, type UsageRow, uuidOrNull, whole } from './row.js';

export interface Column {
  name: string;
  /** Of one value, as `unnest` gets it; `jsonb` is given as its text. */
  type: 'uuid' | 'text' | 'date' | 'bigint' | 'integer' | 'boolean' | 'jsonb';
  value: (row: UsageRow, ids: Resolved) => string | number | boolean | null | undefined;
  /** The expression over `e.<name>`; itself where absent. */
  select?: string;
  /** The table whose row it names: the value is null where that has none. */
  table?: string;
}

const time = (name: string) => `to_timestamp(e.${name} / 1000.0)`;
const usd = (name: string) => `e.${name} * 0.000000001`;

const id = (
  name: string,
  table: string,
  value: (row: UsageRow, ids: Resolved) => string | null | undefined,
): Column => ({ name, type: 'uuid', value, table });

const RESERVATION: Column = {
  name: 'reservation_id',
  type: 'uuid',
  value: ({ event }) => event.id,
};

const outcome: Column['value'] = (row) => row.outcome;

const WHO: readonly Column[] = [
  id('user_id', 'users', ({ attribution }) => uuidOrNull(attribution.userId)),
  id('agent_id', 'agents', ({ attribution }) => uuidOrNull(attribution.agentId)),
  id('project_id', 'projects', ({ attribution }) => uuidOrNull(attribution.projectId)),
  id('conversation_id', 'conversations', (_, ids) => ids.conversation),
  id('task_id', 'tasks', (_, ids) => ids.task),
  { name: 'api_key_id', type: 'uuid', value: ({ attribution }) => uuidOrNull(attribution.keyId) },
  { name: 'provider', type: 'text', value: ({ provider }) => cut(provider, 100) },
  { name: 'model', type: 'text', value: ({ model }) => cut(model, 100) },
];

const ATTEMPTS: Column = {
  name: 'attempts',
  type: 'integer',
  value: ({ event }) => whole(event.reading?.attempts ?? 1),
};

/** Plain ids in a turn: nothing is looked up. */
const WHO_OF_TURN: readonly Column[] = WHO.map(({ name, type, value }) => ({ name, type, value }));

export const USAGE_COLUMNS: readonly Column[] = [
  // In the order of time: random ones would come to rest all over their index.
  { name: 'id', type: 'uuid', value: ({ event }) => uuidV7(event.atMs) },
  RESERVATION,
  { name: 'kind', type: 'text', value: ({ event }) => event.kind },
  { name: 'usage_date', type: 'date', value: ({ usageDate }) => usageDate },
  {
    name: 'timestamp',
    type: 'bigint',
    value: ({ event }) => event.atMs,
    select: time('timestamp'),
  },
  ...WHO,
  id('person_id', 'persons', (_, ids) => ids.person),
  id('occasion_id', 'occasions', (_, ids) => ids.occasion),
  id('issue_id', 'github_issues', (_, ids) => ids.issue),
  id('pull_request_id', 'pull_requests', (_, ids) => ids.pullRequest),
  { name: 'agent_type', type: 'text', value: ({ attribution: a }) => cut(a.agentType, 20) },
  { name: 'end_user', type: 'text', value: ({ attribution: a }) => cut(a.endUser, 256) },
  { name: 'tokens_in', type: 'bigint', value: ({ tokensIn }) => tokensIn },
  { name: 'tokens_out', type: 'bigint', value: ({ tokensOut }) => tokensOut },
  { name: 'tokens_cached_read', type: 'bigint', value: ({ usage }) => usage.cachedRead },
  {
    name: 'tokens_cache_write',
    type: 'bigint',
    value: ({ usage }) => usage.cacheWrite5m + usage.cacheWrite1h,
  },
  { name: 'tokens_reasoning', type: 'bigint', value: ({ usage }) => usage.reasoning },
  { name: 'was_cached', type: 'boolean', value: ({ usage }) => usage.cachedRead > 0 },
  { name: 'cost_usd', type: 'bigint', value: (row) => row.costNanoUsd, select: usd('cost_usd') },
  {
    name: 'overrun_usd',
    type: 'bigint',
    value: (row) => row.overrunNanoUsd,
    select: usd('overrun_usd'),
  },
  { name: 'tokens_saved', type: 'bigint', value: ({ saved }) => saved.tokens },
  {
    name: 'saved_usd',
    type: 'bigint',
    value: ({ saved }) => saved.nanoUsd,
    select: usd('saved_usd'),
  },
  { name: 'request_duration_ms', type: 'integer', value: ({ durationMs }) => durationMs },
  { name: 'outcome', type: 'text', value: outcome },
  {
    name: 'usage_source',
    type: 'text',
    value: ({ event }) => event.reading?.usageSource ?? 'estimated',
  },
  {
    name: 'price_version',
    type: 'text',
    value: ({ event }) => cut(event.reading?.priceVersion ?? event.stub.priceVersion, 100),
  },
  ATTEMPTS,
  { name: 'ledger_epoch', type: 'bigint', value: ({ event }) => event.epoch },
  { name: 'ledger_seq', type: 'bigint', value: ({ event }) => event.seq },
  jsonb('lines', ({ event }) => event.lines),
  jsonb('usage_classes', ({ usage }) => usedClasses(usage)),
  jsonb('tags', ({ attribution }) => attribution.tags ?? {}),
  jsonb('attribution', ({ attribution }) => withoutColumns(attribution)),
  jsonb('metadata', metadata),
];

export const TURN_COLUMNS: readonly Column[] = [
  RESERVATION,
  ...WHO_OF_TURN,
  { name: 'request_id', type: 'text', value: ({ event }) => cut(event.stub.requestId, 100) },
  { name: 'status', type: 'text', value: outcome },
  {
    name: 'started_at',
    type: 'bigint',
    value: ({ event }) => event.stub.startedAtMs,
    select: time('started_at'),
  },
  {
    name: 'ended_at',
    type: 'bigint',
    value: ({ event }) => event.reading?.endedAtMs ?? event.atMs,
    select: time('ended_at'),
  },
];

/** The figures of a turn; its `turn_id` comes from the turn that the same statement inserts. */
export const METRIC_COLUMNS: readonly Column[] = [
  prompt('tokens_before', 'bigint', (figures) => figures?.tokensBefore ?? null),
  prompt('tokens_after', 'bigint', (figures) => figures?.tokensAfter ?? null),
  prompt('trims_count', 'integer', (figures) => figures?.trimsCount ?? 0),
  jsonb('top_keys', ({ event }) => event.stub.prompt?.topKeys ?? []),
  prompt('rejects', 'integer', (figures) => figures?.rejects ?? 0),
  reading('model_ms', 'integer', ({ modelMs }) => whole(modelMs)),
  reading('first_byte_ms', 'integer', ({ firstByteMs }) => whole(firstByteMs)),
  reading('estimated_input_tokens', 'bigint', (r) => whole(r.estimatedInputTokens)),
  reading('estimated_output_tokens', 'bigint', (r) => whole(r.estimatedOutputTokens)),
  { ...reading('held_usd', 'bigint', (r) => r.heldNanoUsd), select: usd('held_usd') },
  ATTEMPTS,
  reading('finish_reason', 'text', ({ finishReason }) => cut(finishReason, 50)),
];

function prompt(
  name: string,
  type: Column['type'],
  value: (figures: UsageRow['event']['stub']['prompt']) => number | null,
): Column {
  return { name, type, value: ({ event }) => value(event.stub.prompt) };
}

function reading(
  name: string,
  type: Column['type'],
  value: (reading: NonNullable<UsageRow['event']['reading']>) => string | number | null,
): Column {
  return { name, type, value: ({ event }) => (event.reading ? value(event.reading) : null) };
}

function jsonb(name: string, value: (row: UsageRow) => unknown): Column {
  return { name, type: 'jsonb', value: (row) => jsonText(value(row)) };
}

// What has a column of its own is not told twice.
function withoutColumns(attribution: Attribution): Attribution {
  if (attribution.tags === undefined && attribution.endUser === undefined) return attribution;
  const { tags, endUser, ...rest } = attribution;
  return rest;
}

function usedClasses(usage: UsageRow['usage']): Record<string, number> {
  const used: Record<string, number> = {};
  for (const key of Object.keys(usage) as (keyof UsageRow['usage'])[]) {
    if (usage[key] !== 0) used[key] = usage[key];
  }
  return used;
}

function metadata({ event }: UsageRow): Record<string, unknown> {
  const { stub, reading: read, reason } = event;
  return {
    request_id: stub.requestId,
    stream: stub.stream,
    ...(stub.pair && { pair: stub.pair }),
    ...(reason !== undefined && { reason }),
    ...(read?.serviceTier !== undefined && { service_tier: read.serviceTier }),
    ...(read && read.anomalies.length > 0 && { anomalies: read.anomalies }),
  };
}
