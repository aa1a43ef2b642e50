// The doors of limits: the API names the unit by the member that has the amount, the flow by name.

import type { z } from 'zod';
import { assert } from '../../../core/assert.js';
import { refuse } from '../../../core/errors.js';
import type { AdminDeps } from '../../../flows/admin/change.js';
import * as limits from '../../../flows/admin/limits.js';
import { limitRow } from './answers.js';
import type { AdminRoute } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { limitSchema, newLimitSchema } from './schemas.js';

const MEMBERS = [
  ['amount_usd', 'nano_usd'],
  ['amount_tokens', 'tokens'],
  ['amount_requests', 'requests'],
  ['amount_concurrency', 'concurrency'],
] as const;

type Amounts = Pick<z.output<typeof limitSchema>, (typeof MEMBERS)[number][0]>;

export function limitRoutes(deps: AdminDeps): AdminRoute[] {
  return entityRoutes('limits', {
    row: limitRow,
    list: (request) => limits.listLimits(deps, request),
    read: (id) => limits.readLimit(deps, id),
    create: [
      newLimitSchema,
      (actor, input) => {
        const { amounts, terms } = split(input);
        const [amount] = amounts;
        assert(amount, 'a limit without an amount passed the schema');
        return limits.createLimit(deps, actor, {
          ...terms,
          ...amount,
          period: input.period ?? 'ever',
          scope_id: input.scope_id ?? null,
          scope_agent_type: input.scope_agent_type ?? null,
          scope_key: input.scope_key ?? null,
        });
      },
    ],
    change: [
      limitSchema,
      async (actor, id, input) => {
        const { amounts, terms } = split(input);
        if (amounts.length > 1) {
          return refuse('invalid_value', 'A limit has one amount.', { param: 'amount_usd' });
        }
        return limits.changeLimit(deps, actor, id, terms, amounts[0]);
      },
    ],
    remove: (actor, id) => limits.removeLimit(deps, actor, id),
  });
}

function split<T extends Amounts>(input: T) {
  const { amount_usd, amount_tokens, amount_requests, amount_concurrency, ...terms } = input;
  const given: Amounts = { amount_usd, amount_tokens, amount_requests, amount_concurrency };
  const amounts = MEMBERS.flatMap(([member, unit]) => {
    const amount = given[member];
    return amount === undefined ? [] : [{ unit, amount }];
  });
  return { amounts, terms };
}
