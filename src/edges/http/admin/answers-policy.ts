// What the admin API answers of budgets, tiers, people and what was spent.

import { z } from 'zod';
import { at, count, decimal, id, object, row } from './answers.js';

const text = z.string();
const tier = z.int().min(1).max(9);
const models = z.array(text).nullable();
const limits = z.array(object);

export const budgetRow = row({
  agent_id: id,
  agent: text,
  allocated_tokens: count,
  used_tokens: count,
  reserved_tokens: count,
  overrun_tokens: count,
  remaining_tokens: count,
  version: count,
});
export const movedAnswer = z.strictObject({ from: budgetRow, to: budgetRow });

export const tierRow = z.strictObject({
  tier,
  access_level: text,
  allowed_models: models,
  default_limits: limits,
  version: count,
  created_at: at,
  updated_at: at,
});
export const overrideRow = row({
  project_id: id,
  tier,
  access_level: text.nullable(),
  allowed_models: models,
  default_limits: limits.nullable(),
});

export const personRow = row({ name: text, external_id: text.nullable() });
export const occasionRow = personRow.extend({ occurs_on: z.iso.date().nullable() });
export const pairRow = row({
  person_id: id,
  occasion_id: id,
  person: text,
  occasion: text,
  budget_amount: decimal.nullable(),
  budget_spent: decimal,
  budget_remaining: decimal.nullable(),
  is_over: z.boolean(),
  budget_currency: text,
  budget_notes: text.nullable(),
  version: count,
});
export const rateRow = z.strictObject({
  currency: text,
  valid_from: z.iso.date(),
  usd_per_unit: decimal,
  source: text.nullable(),
  created_at: at,
});
export const ratesAnswer = z.strictObject({ data: z.array(rateRow) });

export const stopAnswer = z.strictObject({
  object: z.literal('stop'),
  stopped: z.boolean(),
  reason: text.nullable(),
});

/** A count that a number cannot hold exactly is text. */
const figure = z.union([z.int(), z.string().regex(/^-?\d+$/)]);
const sums = {
  calls: figure,
  rows: figure,
  tokens_in: figure,
  tokens_out: figure,
  tokens_cached_read: figure,
  tokens_cache_write: figure,
  tokens_reasoning: figure,
  tokens_saved: figure,
  cost_usd: decimal,
  overrun_usd: decimal,
  saved_usd: decimal,
};
/** A group's members beside the sums are named as it was asked for. */
export const reportAnswer = z.strictObject({
  object: z.literal('usage_report'),
  group_by: z.array(text),
  since: at,
  until: at.nullable(),
  zone: text,
  answered_from: z.enum(['hours', 'rows', 'both']),
  columns: z.array(text),
  data: z.array(z.object(sums).catchall(text.nullable())),
  total: z.strictObject(sums),
  complete: z.boolean(),
});

export const usageRow = z.strictObject({
  id,
  timestamp: at,
  reservation_id: id,
  kind: z.enum(['base', 'late', 'adjust', 'reconciled']),
  outcome: text,
  user_id: id.nullable(),
  agent_id: id.nullable(),
  agent_type: text.nullable(),
  project_id: id.nullable(),
  api_key_id: id.nullable(),
  provider: text.nullable(),
  model: text,
  tokens_in: z.int(),
  tokens_out: z.int(),
  tokens_cached_read: z.int(),
  tokens_cache_write: z.int(),
  tokens_reasoning: z.int(),
  cost_usd: decimal,
  fee_usd: decimal,
  overrun_usd: decimal,
  tokens_saved: z.int(),
  saved_usd: decimal,
  price_version: text.nullable(),
  usage_source: text,
  attempts: count,
  request_duration_ms: count.nullable(),
  end_user: text.nullable(),
  tags: object,
  attribution: object,
  lines: z.array(z.strictObject({ e: text, l: text, u: text, a: z.int(), o: z.int() })),
});

export const auditRow = z.strictObject({
  id: text,
  at,
  actor_kind: text,
  actor_id: text.nullable(),
  via: text,
  action: text,
  entity: text,
  entity_id: text.nullable(),
  before: z.json(),
  after: z.json(),
  request_id: text.nullable(),
  reason: text.nullable(),
});
