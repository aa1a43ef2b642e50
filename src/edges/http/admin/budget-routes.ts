// The doors of token envelopes: lists, allocations, moves from one agent to another.

import { z } from 'zod';
import { isRefused } from '../../../core/errors.js';
import { isAmount } from '../../../core/money.js';
import * as budgets from '../../../flows/admin/budgets.js';
import type { AdminDeps } from '../../../flows/admin/change.js';
import { type AdminRoute, answered } from './doors.js';
import { recordRoute } from './entity-routes.js';
import { readAs } from './read.js';
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
    recordRoute('budgets', budgetListSchema, (request) => budgets.listBudgets(deps, request)),
    {
      method: 'GET',
      path: 'budgets/:id',
      kind: 'read',
      door: async ({ id }) => answered(await budgets.readBudget(deps, id)),
    },
    {
      method: 'POST',
      path: 'budgets/allocate',
      kind: 'write',
      body: allocationSchema,
      async door({ exchange, actor }) {
        const read = await readAs(exchange, allocationSchema);
        if (read === undefined || isRefused(read)) return read;
        return answered(await budgets.allocate(deps, actor, read.input));
      },
    },
    {
      method: 'POST',
      path: 'budgets/move',
      kind: 'write',
      body: moveSchema,
      async door({ exchange, actor }) {
        const read = await readAs(exchange, moveSchema);
        if (read === undefined || isRefused(read)) return read;
        return answered(await budgets.moveTokens(deps, actor, read.input));
      },
    },
  ];
}
