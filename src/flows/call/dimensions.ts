// What a client says of whom its call is for, against what its key decides: a fixed dimension
// cannot be said otherwise, a required one must be said, one that is not allowed is not heard.

import type { Dimension, KeyDimensions } from '../../core/directory.js';
import { type Refused, refuse } from '../../core/errors.js';
import type { Attribution } from '../../core/usage-event.js';

type Member = Exclude<keyof Attribution, 'tags'>;

const MEMBERS: Record<Exclude<Dimension, 'tags'>, Member> = {
  conversation: 'conversation',
  task: 'task',
  person: 'person',
  occasion: 'occasion',
  issue: 'issue',
  pull_request: 'pullRequest',
  session: 'sessionId',
  end_user: 'endUser',
};

/** How a client says it. */
const SAID_BY: Record<Dimension, string> = {
  conversation: 'x-purser-conversation-id',
  task: 'x-purser-task-id',
  person: 'x-purser-person',
  occasion: 'x-purser-occasion',
  issue: 'x-purser-issue',
  pull_request: 'x-purser-pull-request',
  session: 'x-purser-session-id',
  end_user: 'user',
  tags: 'x-purser-tags',
};

/** The claims that count. `complete`: all there will be, so what is required must be among them. */
export function heardClaims(
  { fixed, required, allowed }: KeyDimensions,
  claims: Attribution,
  complete: boolean,
): Attribution | Refused {
  // Of most keys: nothing is decided, and all that is said is heard.
  if (allowed === null && required.length === 0 && isEmpty(fixed)) return claims;
  const heard: Attribution = allowed === null ? { ...claims } : {};
  for (const dimension of [...(allowed ?? []), ...required]) {
    if (dimension === 'tags') {
      if (claims.tags) heard.tags = claims.tags;
    } else {
      const value = claims[MEMBERS[dimension]];
      if (value !== undefined) heard[MEMBERS[dimension]] = value;
    }
  }
  for (const [dimension, value] of Object.entries(fixed) as [Dimension, unknown][]) {
    const refused = fix(dimension, value, claims, heard);
    if (refused) return refused;
  }
  const missing = complete && required.find((dimension) => !isSaid(dimension, heard));
  if (!missing) return heard;
  return refuse('dimension_required', `This key needs ${SAID_BY[missing]} with every call.`, {
    param: SAID_BY[missing],
  });
}

function isEmpty(members: object): boolean {
  for (const _name in members) return false;
  return true;
}

function fix(
  dimension: Dimension,
  value: unknown,
  claims: Attribution,
  heard: Attribution,
): Refused | undefined {
  if (dimension === 'tags') {
    const tags = value as Record<string, string>;
    const other = Object.keys(tags).some((name) => differs(claims.tags?.[name], tags[name]));
    if (other) return fixed(dimension);
    heard.tags = { ...heard.tags, ...tags };
    return undefined;
  }
  const member = MEMBERS[dimension];
  if (differs(claims[member], value)) return fixed(dimension);
  heard[member] = String(value);
  return undefined;
}

function differs(claimed: unknown, value: unknown): boolean {
  return claimed !== undefined && claimed !== value;
}

function fixed(dimension: Dimension): Refused {
  const param = SAID_BY[dimension];
  return refuse('dimension_fixed', `This key has its own ${param}, which a call cannot change.`, {
    param,
  });
}

function isSaid(dimension: Dimension, heard: Attribution): boolean {
  if (dimension === 'tags') return Object.keys(heard.tags ?? {}).length > 0;
  return (heard[MEMBERS[dimension]] ?? '') !== '';
}
