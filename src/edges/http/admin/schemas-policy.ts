// What the admin API takes of tiers, people, occasions and exchange rates.

import { z } from 'zod';
import { isAmount, parseUsd } from '../../../core/money.js';
import { PERIODS } from '../../../core/period.js';
import { CURRENCY, isDay, USD_PER_UNIT } from '../../../flows/admin/exchange-rates.js';
import { listMembers, text, uuid } from './schemas.js';

const MONEY = /^\d{1,10}(\.\d{1,9})?$/;
const money = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine((value) => MONEY.test(value), 'must be a plain decimal, at most nine places, 0 or more');
const signedMoney = z
  .union([z.string(), z.number()])
  .transform(String)
  .refine(
    (value) => MONEY.test(value.replace(/^-/, '')) && /[1-9]/.test(value),
    'must be a plain decimal, at most nine places, not 0',
  );
const models = z.array(text(200)).max(200).nullable();
const count = z.number().refine(isAmount, 'must be a whole number, 0 or more').optional();
const defaultLimit = z
  .strictObject({
    amount_usd: z
      .union([z.string(), z.number()])
      .refine((value) => parseUsd(value) !== undefined, 'must be USD as a plain decimal')
      .optional(),
    amount_tokens: count,
    amount_requests: count,
    amount_concurrency: count,
    period: z.enum(PERIODS as [(typeof PERIODS)[number]]).optional(),
  })
  .refine(
    ({ period, ...amounts }) =>
      Object.values(amounts).filter((amount) => amount !== undefined).length === 1 &&
      (amounts.amount_concurrency === undefined
        ? period !== undefined
        : (period ?? 'ever') === 'ever'),
    'needs exactly one amount, and a period (calls at once have the period ever)',
  );
const limits = z.array(defaultLimit).max(8);

export const tierSchema = z.strictObject({
  access_level: text(20).optional(),
  allowed_models: models.optional(),
  default_limits: limits.optional(),
});
const override = {
  access_level: text(20).nullish(),
  allowed_models: models.optional(),
  default_limits: limits.nullish(),
};
export const overrideSchema = z.strictObject(override);
export const newOverrideSchema = z.strictObject({
  ...override,
  project_id: uuid,
  tier: z.int().min(1).max(9),
});

const person = { name: text(200).optional(), external_id: text(128).nullish() };
const day = z.iso.date().refine(isDay, 'must be a day such as 2026-11-21');
export const personSchema = z.strictObject(person);
export const newPersonSchema = personSchema.required({ name: true });
export const occasionSchema = z.strictObject({ ...person, occurs_on: day.nullish() });
export const newOccasionSchema = occasionSchema.required({ name: true });

const currency = z.string().regex(CURRENCY, 'must be three capital letters, such as EUR');
export const pairSchema = z.strictObject({
  budget_amount: money.nullish(),
  budget_currency: currency.optional(),
  budget_notes: text(10_000).nullish(),
});
export const newPairSchema = pairSchema.extend({ person_id: uuid, occasion_id: uuid });
export const pairListSchema = z.strictObject({
  ...listMembers,
  person_id: uuid.optional(),
  occasion_id: uuid.optional(),
  over: z.stringbool().optional(),
});
export const spendSchema = z.strictObject({ amount: signedMoney, reason: text(500) });

export const rateSchema = z.strictObject({
  currency,
  valid_from: day,
  usd_per_unit: z
    .union([z.string(), z.number()])
    .transform(String)
    .refine((value) => USD_PER_UNIT.test(value), 'must be a plain decimal above 0'),
  source: text(200).nullish(),
});
export const rateListSchema = z.strictObject({ ...listMembers, currency: currency.optional() });
export const csvSchema = z.strictObject({ csv: text(200_000) });
