// What the admin API answers, entity by entity: told in the description of the API, and held
// against every answer by its test. Money is decimal text, moments are RFC 3339 in UTC.

import { z } from 'zod';
import { DIMENSIONS } from '../../../core/directory.js';
import { FREE_SCOPES } from '../../../core/envelope.js';
import { PERIODS } from '../../../core/period.js';
import { AGENT_TYPES } from '../../../flows/admin/agents.js';

export const id = z.uuid();
export const at = z.iso.datetime();
export const count = z.int().min(0);
export const decimal = z.string().regex(/^-?\d+(\.\d+)?$/);
export const object = z.record(z.string(), z.json());
const text = z.string();
const origin = z.enum(['file', 'api']);
const dimension = z.enum(DIMENSIONS);

/** A row of an entity that has an id of its own. */
export const row = <Members extends z.ZodRawShape>(members: Members) =>
  z.strictObject({ id, ...members, created_at: at, updated_at: at });

export const list = (item: z.ZodType) =>
  z.strictObject({
    object: z.literal('list'),
    data: z.array(item),
    has_more: z.boolean(),
    next_cursor: text.nullable(),
  });

export const projectRow = row({
  name: text,
  description: text.nullable(),
  github_repo: text.nullable(),
  owner_id: id,
  is_active: z.boolean(),
  origin,
});

export const userRow = row({
  username: text,
  email: text,
  is_admin: z.boolean(),
  is_active: z.boolean(),
});

export const agentRow = row({
  name: text,
  type: z.enum(AGENT_TYPES),
  project_id: id.nullable(),
  tier: z.int().min(1).max(9).nullable(),
  model_config: object,
  system_prompt: text.nullable(),
  is_active: z.boolean(),
  origin,
});

export const keyRow = row({
  public_id: text,
  prefix: text,
  name: text,
  kind: z.enum(['agent', 'admin']),
  role: z.enum(['owner', 'finance', 'operator']).nullable(),
  agent_id: id.nullable(),
  user_id: id.nullable(),
  allowed_models: z.array(text).nullable(),
  fixed_dimensions: object,
  required_dimensions: z.array(dimension),
  allowed_dimensions: z.array(dimension).nullable(),
  expires_at: at.nullable(),
  disabled_at: at.nullable(),
  revoked_at: at.nullable(),
  grace_until: at.nullable(),
  rotated_from: id.nullable(),
  last_used_at: at.nullable(),
});
/** The key itself is told here and never again. */
export const madeKeyRow = keyRow.extend({ key: text });

export const limitRow = row({
  name: text,
  scope_type: z.enum(['global', 'project', 'agent', 'agent_type', ...FREE_SCOPES]),
  scope_id: id.nullable(),
  scope_agent_type: z.enum(AGENT_TYPES).nullable(),
  scope_key: text.nullable(),
  amount_usd: decimal.nullable(),
  amount_tokens: count.nullable(),
  amount_requests: count.nullable(),
  amount_concurrency: count.nullable(),
  period: z.enum(PERIODS as [(typeof PERIODS)[number]]),
  action_on_exceed: z.enum(['block', 'warn']),
  on_ledger_down: z.enum(['refuse', 'continue']),
  strict: z.boolean(),
  visible: z.boolean(),
  alert_threshold: z.number().nullable(),
  alert_thresholds: z.array(z.number()),
  time_zone: text,
  week_start: z.int(),
  anchor_day: z.int(),
  raise_amount: decimal.nullable(),
  raise_until: at.nullable(),
  version: count,
  origin,
  is_active: z.boolean(),
});

const unit = z.enum(['nano_usd', 'tokens', 'requests', 'concurrency']);

export const reservationRow = z.strictObject({
  id,
  owner: text,
  phase: z.enum(['held', 'sent']),
  lease_ends_at: at,
  lines: z.array(z.strictObject({ envelope: text, label: text, unit, amount: count })),
  seen_usd: decimal,
  seen_tokens: count,
});

export const slotRow = row({
  project_id: id.nullable(),
  key: text,
  category: text,
  priority: z.int(),
  source: text,
  content: text.nullable(),
  soft_limit_chars: count.nullable(),
  must_keep: z.boolean(),
  min_chars: count,
});

export const templateRow = row({
  project_id: id.nullable(),
  name: text,
  description: text.nullable(),
  max_prompt_tokens: count.nullable(),
  is_active: z.boolean(),
  slots: z.array(text),
});

export const previewAnswer = z.strictObject({
  model: text,
  messages: z.array(z.json()),
  report: z.strictObject({
    before: count,
    after: count,
    trims: z.array(z.strictObject({ key: text, removed_chars: count, removed_tokens: count })),
    warnings: z.array(text),
  }),
  template_id: id.nullable(),
});
