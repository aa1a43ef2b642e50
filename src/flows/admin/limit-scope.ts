// Whom a limit is for, as its name says it; and that somebody can be meant. A limit that no call
// could ever touch would look like a guard and be none, so it is refused.

import type { ScopeType } from '../../core/envelope.js';
import { type Refused, refuse } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';

export interface LimitScope {
  scope_type: ScopeType;
  scope_id: string | null;
  scope_agent_type: string | null;
  scope_key: string | null;
}

const NAMES: Partial<Record<ScopeType, string>> = {
  project: 'select name from projects where id = $1',
  agent: `select concat_ws('/', projects.name, agents.name) as name
    from agents left join projects on projects.id = project_id where agents.id = $1`,
};
const HOLDERS: Partial<Record<ScopeType, string>> = {
  user: 'select id::text as name from users where id::text = $1',
  key: `select id::text as name from api_keys where id::text = $1 and kind = 'agent'`,
};

/** `agent:demo/coder-1`, `person:ada`, `global`: the part of a limit's name that says for whom. */
export async function scopeText(tx: Queryable, scope: LimitScope): Promise<string | Refused> {
  const { scope_type: type, scope_id: id, scope_key: key } = scope;
  if (type === 'global') return 'global';
  const byId = NAMES[type];
  if (byId) {
    const rows = await tx.query<{ name: string }>(byId, [id]);
    const name = rows[0]?.name;
    return name === undefined ? nobody(type, 'scope_id') : `${type}:${name}`;
  }
  const holder = HOLDERS[type];
  if (holder && key !== '*' && (await tx.query(holder, [key])).length === 0) {
    return nobody(type, 'scope_key');
  }
  if (type === 'tag' && !/^[^=]+=./.test(key ?? '')) {
    return refuse('invalid_value', 'A tag is name=value; name=* is each value on its own.', {
      param: 'scope_key',
    });
  }
  return `${type}:${scope.scope_agent_type ?? key ?? ''}`;
}

function nobody(type: ScopeType, param: string): Refused {
  return refuse('invalid_value', `There is no such ${type}; give its id.`, { param });
}
