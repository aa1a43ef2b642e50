// By what usage can be grouped and filtered, as SQL over the columns that `usage_hours` and
// `token_usage` have in common, or over those of the rows alone. `at` is the time of either.

/** Those that the sums by the hour know; the others are asked of the rows. */
const ROLLED = ['agent', 'agent_type', 'project', 'user', 'provider', 'model', 'kind'] as const;
const OF_ROWS = [
  'conversation',
  'task',
  'issue',
  'pull_request',
  'person',
  'occasion',
  'end_user',
  'key',
] as const;
export const TIMES = ['hour', 'day', 'week', 'month'] as const;

export type Dimension = (typeof ROLLED)[number] | (typeof OF_ROWS)[number];
export type Time = (typeof TIMES)[number];
export const DIMENSIONS: readonly Dimension[] = [...ROLLED, ...OF_ROWS];

/** A member of `group_by`: a dimension, `tag:<key>`, or a time. */
export type Group =
  | { kind: 'dimension'; name: Dimension }
  | { kind: 'tag'; name: `tag:${string}`; key: string }
  | { kind: 'time'; name: Time };

const TAG_KEY = /^[^\0,=]{1,64}$/;

/** Undefined for what is none. */
export function groupOf(name: string): Group | undefined {
  const time = TIMES.find((one) => one === name);
  if (time) return { kind: 'time', name: time };
  const dimension = DIMENSIONS.find((one) => one === name);
  if (dimension) return { kind: 'dimension', name: dimension };
  const key = name.startsWith('tag:') ? name.slice(4) : '';
  return TAG_KEY.test(key) ? { kind: 'tag', name: `tag:${key}`, key } : undefined;
}

export function isRolled(name: string): boolean {
  return (ROLLED as readonly string[]).includes(name);
}

// The word that a call was labelled with, else the row that it was found to mean.
const word = (name: string, column: string) => `coalesce(attribution->>'${name}', ${column}::text)`;

/** What a row is grouped by. */
export const EXPRESSIONS: Readonly<Record<Dimension, string>> = {
  agent: 'agent_id',
  agent_type: 'agent_type',
  project: 'project_id',
  user: 'user_id',
  provider: 'provider',
  model: 'model',
  kind: 'kind',
  conversation: word('conversation', 'conversation_id'),
  task: word('task', 'task_id'),
  issue: word('issue', 'issue_id'),
  pull_request: word('pullRequest', 'pull_request_id'),
  person: word('person', 'person_id'),
  occasion: word('occasion', 'occasion_id'),
  end_user: 'end_user',
  key: 'api_key_id',
};

/** Those that are rows themselves: shown with their name, and found by their id or name. */
export const NAMED: Readonly<Partial<Record<Dimension, { name: string; found: string }>>> = {
  agent: {
    name: '(select r.name from agents r where r.id = $)',
    found: `select r.id from agents r left join projects p on p.id = r.project_id
      where r.id::text = lower($) or r.name = $ or p.name || '/' || r.name = $`,
  },
  project: {
    name: '(select r.name from projects r where r.id = $)',
    found: 'select r.id from projects r where r.id::text = lower($) or r.name = $',
  },
  user: {
    name: '(select r.username from users r where r.id = $)',
    found: 'select r.id from users r where r.id::text = lower($) or r.username = $',
  },
  key: {
    name: '(select r.name from api_keys r where r.id = $)',
    found: 'select r.id from api_keys r where r.id::text = lower($) or r.name = $',
  },
};
