// What the admin API takes, entity by entity. Unknown members are refused; money is decimal text,
// read exactly; what a database would only cut or round is refused here with its reason.

import { z } from 'zod';
import { DIMENSIONS } from '../../../core/directory.js';
import { FREE_SCOPES } from '../../../core/envelope.js';
import { isAmount, parseUsd } from '../../../core/money.js';
import { PERIODS } from '../../../core/period.js';
import { AGENT_TYPES } from '../../../flows/admin/agents.js';

// PostgreSQL's text takes no NUL.
export const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !value.includes('\0'), 'has a NUL character');
export const uuid = z.guid();
export const moment = z.iso.datetime({ offset: true }).transform((value) => new Date(value));

const MONEY = 'must be USD as a plain decimal, at most nine places, from 0 to 9007199.254740991';
const usd = z.union([z.string(), z.number()]).transform((value, context) => {
  const nanoUsd = parseUsd(value);
  if (nanoUsd === undefined) context.addIssue({ code: 'custom', message: MONEY });
  return nanoUsd ?? z.NEVER;
});
const WHOLE = 'must be a whole number from 0 to 9007199254740991';
const count = z.number().refine(isAmount, WHOLE);

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

export const projectSchema = z.strictObject({
  name: text(100).optional(),
  description: text(10_000).nullish(),
  github_repo: text(255).nullish(),
  owner_id: uuid.optional(),
  is_active: z.boolean().optional(),
});
export const newProjectSchema = projectSchema.required({ name: true });

export const userSchema = z.strictObject({
  username: text(50).optional(),
  email: text(255).optional(),
  is_admin: z.boolean().optional(),
  is_active: z.boolean().optional(),
});
export const newUserSchema = userSchema.required({ username: true, email: true });

export const agentSchema = z.strictObject({
  name: text(50).optional(),
  type: z.enum(AGENT_TYPES).optional(),
  project_id: uuid.nullish(),
  tier: z.int().min(1).max(9).nullish(),
  model_config: z.record(z.string(), z.json()).optional(),
  system_prompt: text(100_000).nullish(),
  is_active: z.boolean().optional(),
});
export const newAgentSchema = agentSchema.required({ name: true, type: true });

const models = z.array(text(200)).max(200).nullish();
const dimension = z.enum(DIMENSIONS);
const dimensions = {
  fixed_dimensions: z
    .partialRecord(dimension, z.union([text(128), z.record(text(64), text(128))]))
    .refine(
      (fixed) =>
        Object.entries(fixed).every(([k, v]) => (k === 'tags') === (typeof v !== 'string')),
      'tags are members with text, every other dimension is text',
    )
    .optional(),
  required_dimensions: z.array(dimension).max(DIMENSIONS.length).optional(),
  allowed_dimensions: z.array(dimension).max(DIMENSIONS.length).nullish(),
};
export const keySchema = z.strictObject({
  name: text(100).optional(),
  allowed_models: models,
  expires_at: moment.nullish(),
  disabled: z.boolean().optional(),
  ...dimensions,
});
export const newKeySchema = z
  .strictObject({
    name: text(100),
    kind: z.enum(['agent', 'admin']).default('agent'),
    role: z.enum(['owner', 'finance', 'operator']).optional(),
    agent_id: uuid.optional(),
    user_id: uuid.optional(),
    allowed_models: models,
    expires_at: moment.nullish(),
    ...dimensions,
  })
  .superRefine((key, context) => {
    const needs = key.kind === 'agent' ? 'agent_id' : 'role';
    const wrong = key.kind === 'agent' ? 'role' : 'agent_id';
    if (key[needs] === undefined) {
      context.addIssue({
        code: 'custom',
        path: [needs],
        message: `a key of kind ${key.kind} needs it`,
      });
    }
    if (key[wrong] !== undefined) {
      context.addIssue({
        code: 'custom',
        path: [wrong],
        message: `a key of kind ${key.kind} has none`,
      });
    }
  });

const threshold = z.number().min(0.01).max(1).multipleOf(0.01);
const amounts = {
  amount_usd: usd.optional(),
  amount_tokens: count.optional(),
  amount_requests: count.optional(),
  amount_concurrency: count.optional(),
};
const terms = {
  name: text(100).optional(),
  action_on_exceed: z.enum(['block', 'warn']).optional(),
  on_ledger_down: z.enum(['refuse', 'continue']).optional(),
  strict: z.boolean().optional(),
  visible: z.boolean().optional(),
  alert_threshold: threshold.optional(),
  alert_thresholds: z.array(threshold).max(20).optional(),
  time_zone: z.string().max(64).refine(isTimeZone, 'is no IANA time zone').optional(),
  week_start: z.int().min(1).max(7).optional(),
  anchor_day: z.int().min(1).max(31).optional(),
  raise_amount: z.union([z.string().max(40), z.number()]).nullish(),
  raise_until: moment.nullish(),
  is_active: z.boolean().optional(),
};

const NEEDS = { project: 'scope_id', agent: 'scope_id', agent_type: 'scope_agent_type' } as const;

export const limitSchema = z.strictObject({ ...terms, ...amounts });
export const newLimitSchema = z
  .strictObject({
    ...terms,
    ...amounts,
    scope_type: z.enum(['global', 'project', 'agent', 'agent_type', ...FREE_SCOPES]),
    scope_id: uuid.nullish(),
    scope_agent_type: z.enum(AGENT_TYPES).nullish(),
    scope_key: text(256).nullish(),
    period: z.enum(PERIODS as [(typeof PERIODS)[number]]).optional(),
  })
  .superRefine((limit, context) => {
    const fail = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const type = limit.scope_type;
    const needs = type === 'global' ? null : type in NEEDS ? NEEDS[type as 'agent'] : 'scope_key';
    for (const member of ['scope_id', 'scope_agent_type', 'scope_key'] as const) {
      const given = limit[member] !== undefined && limit[member] !== null;
      if (given && member !== needs) fail(member, `the scope ${type} has none`);
      if (!given && member === needs) fail(member, `the scope ${type} needs it`);
    }
    const given = Object.keys(amounts).filter((name) => limit[name as 'amount_usd'] !== undefined);
    if (given.length !== 1) fail('amount_usd', 'exactly one amount must be given');
    if (limit.amount_concurrency !== undefined && (limit.period ?? 'ever') !== 'ever') {
      fail('period', 'calls at once have the period ever');
    }
    if (limit.amount_concurrency === undefined && limit.period === undefined) {
      fail('period', 'is missing');
    }
  });

export const reasonSchema = z.strictObject({ reason: text(500) });

const pageLimit = z.coerce.number().int().min(1).max(200).optional();
export const listMembers = { cursor: z.string().max(200).optional(), limit: pageLimit };
export const pageSchema = z.strictObject(listMembers);
export const listSchema = z.strictObject({
  ...listMembers,
  name: z.string().max(100).optional(),
});
export const usageListSchema = z.strictObject({
  ...listMembers,
  agent_id: uuid.optional(),
  project_id: uuid.optional(),
  reservation_id: uuid.optional(),
  from: moment.optional(),
  to: moment.optional(),
});
export const reservationListSchema = z.strictObject({
  cursor: z.coerce.number().int().min(0).max(10_000_000).optional(),
  limit: pageLimit,
});
