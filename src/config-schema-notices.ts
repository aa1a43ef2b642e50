// Where the configuration sends notices: webhooks, signed as Standard Webhooks, and Slack.

import { z } from 'zod';

const EVENTS = [
  'budget.threshold_reached',
  'budget.exhausted',
  'budget.period_closed',
  'key.revoked',
  'ledger.drift',
] as const;

const events = z
  .array(z.enum(EVENTS))
  .optional()
  .describe(`the events that go there, of ${EVENTS.join(', ')}; all of them where it is left out`);
const url = z.url({ protocol: /^https?$/ }).describe('address that notices are posted to');

const webhook = z.strictObject({
  url,
  secret: z
    .string()
    .regex(/^(whsec_)?[A-Za-z0-9+/]{16,}={0,2}$/)
    .describe(
      'secret that they are signed with: whsec_ and base64, best by the name of a variable',
    ),
  events,
});
const slack = z.strictObject({ url: url.describe('address of an incoming webhook'), events });

export const noticesSchema = z
  .strictObject({
    webhooks: z.array(webhook).default([]).describe('a list of receivers: url, secret, events'),
    slack: z.array(slack).default([]).describe('a list of incoming webhooks: url, events'),
  })
  .prefault({})
  .describe('webhooks and slack: who is told of thresholds, closed periods, revoked keys');
