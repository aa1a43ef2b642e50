// The doors of token envelopes: lists, allocations, moves from one agent to another.

import { z } from 'zod';
import { isAmount } from '../../../core/money.js';
import * as budgets from '../../../flows/admin/budgets.js';
import type { AdminDeps } from '../../../flows/admin/change.js';
import { budgetRow, movedAnswer } from './answers-policy.js';
import type { AdminRoute } from './doors.js';
import { listing, reading, writing } from './route.js';
import { listMembers, uuid } from './schemas.js';

const count = z.number().refine(isAmount, 'must be a whole number, 0 or more');

export const budgetListSchema = z.strictObject({ ...listMembers, agent_id: uuid.optional() });
export const allocationSchema = z
  .strictObject({
    agent_id: uuid,
    tokens: count.optional(),
    more_tokens: z.int().optional(),
  })
  .refine(
    ({ tokens, more_tokens }) => (tokens === undefined) !== (more_tokens === undefined),
    'give either tokens or more_tokens',
  );
export const moveSchema = z.strictObject({
  from_agent_id: uuid,
  to_agent_id: uuid,
  tokens: count.refine((tokens) => tokens > 0, 'must be more than 0'),
});

export function budgetRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    listing('budgets', budgetListSchema, budgetRow, (asked) => budgets.listBudgets(deps, asked)),
    reading('budgets/:id', budgetRow, ({ id }) => budgets.readBudget(deps, id)),
    writing(['POST', 'budgets/allocate'], allocationSchema, budgetRow, ({ actor }, input) =>
      budgets.allocate(deps, actor, input),
    ),
    writing(['POST', 'budgets/move'], moveSchema, movedAnswer, ({ actor }, input) =>
      budgets.moveTokens(deps, actor, input),
    ),
  ];
}
