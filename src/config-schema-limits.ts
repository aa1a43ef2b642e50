// One limit of the configuration: whom it is for, how much, how often. Exactly one amount; the
// scope's own member names its value.

import { z } from 'zod';
import { FREE_SCOPES } from './core/envelope.js';
import { isAmount, parseUsd } from './core/money.js';
import { PERIODS } from './core/period.js';

const SCOPES = ['global', 'project', 'agent', 'agent_type', ...FREE_SCOPES] as const;

export const AMOUNTS = {
  amount_usd: { unit: 'nano_usd', word: 'usd' },
  amount_tokens: { unit: 'tokens', word: 'tokens' },
  amount_requests: { unit: 'requests', word: 'requests' },
  amount_concurrency: { unit: 'concurrency', word: 'concurrency' },
} as const;
export type AmountMember = keyof typeof AMOUNTS;
export const AMOUNT_MEMBERS = Object.keys(AMOUNTS) as AmountMember[];

const scopeValue = (scope: string) =>
  z.coerce
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe(`${scope}, with scope: ${scope}; * is every one of them on its own`);

const keyed = Object.fromEntries(FREE_SCOPES.map((scope) => [scope, scopeValue(scope)])) as Record<
  (typeof FREE_SCOPES)[number],
  ReturnType<typeof scopeValue>
>;

const usd = z
  .union([z.number(), z.string()])
  .transform((value, context) => {
    const nanoUsd = parseUsd(value);
    if (nanoUsd === undefined) context.addIssue({ code: 'custom', message: 'is no such amount' });
    return nanoUsd ?? z.NEVER;
  })
  .optional()
  .describe('USD, a plain decimal with at most nine places and at most 9007199, such as 5 or 0.25');

const count = (what: string) =>
  z
    .union([z.number(), z.string()])
    .transform((value, context) => {
      const amount = /^\d{1,16}$/.test(String(value)) ? Number(value) : undefined;
      if (!isAmount(amount)) context.addIssue({ code: 'custom', message: 'is no such amount' });
      return amount ?? z.NEVER;
    })
    .optional()
    .describe(`whole number of ${what}, 0 or more`);

// The column has two places.
const threshold = z.number().min(0.01).max(1).multipleOf(0.01);

export const limitSchema = z
  .strictObject({
    name: z.string().min(1).max(100).optional().describe('unique name of the limit'),
    scope: z.enum(SCOPES).describe(`one of ${SCOPES.join(', ')}`),
    project: z.string().min(1).optional().describe('name of a project'),
    agent: z.string().min(1).optional().describe('name of an agent'),
    agent_type: z.string().min(1).optional().describe('type of agents'),
    ...keyed,
    amount_usd: usd,
    amount_tokens: count('tokens'),
    amount_requests: count('requests'),
    amount_concurrency: count('calls at once'),
    period: z
      .enum(PERIODS)
      .optional()
      .describe(`one of ${PERIODS.join(', ')}`),
    action_on_exceed: z.enum(['block', 'warn']).default('block').describe('block or warn'),
    alert_threshold: threshold.default(0.8).describe('share from 0.01 to 1, such as 0.8'),
    alert_thresholds: z.array(threshold).default([]).describe('further shares, such as [0.9, 1]'),
    time_zone: z
      .string()
      .refine(isTimeZone)
      .default('UTC')
      .describe('IANA time zone, such as Europe/Berlin'),
    week_start: z.int().min(1).max(7).default(1).describe('1 (Monday) to 7 (Sunday)'),
    anchor_day: z.int().min(1).max(31).default(1).describe('day that a month begins on, 1 to 31'),
    strict: z.boolean().default(false).describe('true to hold the whole bound of every call'),
    visible: z.boolean().default(true).describe('false to keep it from the callers'),
    on_ledger_down: z.enum(['refuse', 'continue']).default('refuse').describe('refuse or continue'),
  })
  .superRefine((limit, context) => {
    const problem = (path: string[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    const given = AMOUNT_MEMBERS.filter((member) => limit[member] !== undefined);
    if (given.length !== 1) {
      problem(
        [],
        `needs exactly one of ${AMOUNT_MEMBERS.join(', ')}, has ${given.length || 'none'}`,
      );
    }
    if (limit.amount_concurrency !== undefined && (limit.period ?? 'ever') !== 'ever') {
      problem(['period'], 'is always `ever` for a limit of concurrency: leave it out');
    }
    if (limit.period === undefined && limit.amount_concurrency === undefined) {
      problem(['period'], `is missing; it is one of ${PERIODS.join(', ')}`);
    }
    for (const [path, message] of scopeProblems(limit)) problem(path, message);
  });

export type LimitFile = z.output<typeof limitSchema>;

function scopeProblems(limit: Record<string, unknown> & { scope: string }): [string[], string][] {
  const values = SCOPES.filter((scope) => scope !== 'global');
  const { scope } = limit;
  const problems: [string[], string][] = [];
  if (scope !== 'global' && limit[scope] === undefined) {
    problems.push([[], `needs \`${scope}:\`, because its scope is ${scope}`]);
  }
  for (const other of values) {
    const fits = other === scope || (scope === 'agent' && other === 'project');
    if (limit[other] !== undefined && !fits) {
      problems.push([[other], `does not belong to a limit of scope ${scope}: leave it out`]);
    }
  }
  return problems;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
