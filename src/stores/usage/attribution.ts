// From the words a call was labelled with to the rows they mean: conversations, tasks, persons and
// occasions by their external id (or their own), issues and pull requests by number in the
// project. What is not found stays text. Remembered for a while, at most so many.

import type { Clock } from '../../core/clock.js';
import type { Attribution } from '../../core/usage-event.js';
import type { Queryable } from '../../drivers/database.js';
import { type UsageRow, uuidOrNull } from './row.js';

const KINDS = ['conversation', 'task', 'person', 'occasion', 'issue', 'pullRequest'] as const;
type Kind = (typeof KINDS)[number];

export type Resolved = Partial<Record<Kind, string | null>>;

export interface AttributionBookOptions {
  clock: Clock;
  entriesMax: number;
  /** A word found or not found is asked for again after this. */
  keptMs: number;
}

interface Asked {
  name: string;
  projectId: string | null;
  id: string | null;
  number: number | null;
}

const inProject = (table: string) => `coalesce(
  (select r.id from ${table} r where r.project_id = k.project_id and r.external_id = k.name),
  (select r.id from ${table} r where r.id = k.id
    and (r.project_id = k.project_id or r.project_id is null)))`;
const anywhere = (table: string) => `coalesce(
  (select r.id from ${table} r where r.external_id = k.name),
  (select r.id from ${table} r where r.id = k.id))`;
const byNumber = (table: string) =>
  `(select r.id from ${table} r where r.project_id = k.project_id and r.number = k.number)`;

const FOUND: Record<Kind, string> = {
  conversation: inProject('conversations'),
  task: inProject('tasks'),
  person: anywhere('persons'),
  occasion: anywhere('occasions'),
  issue: byNumber('github_issues'),
  pullRequest: byNumber('pull_requests'),
};

export class AttributionBook {
  readonly #options: AttributionBookOptions;
  readonly #entries = new Map<string, { id: string | null; untilMs: number }>();

  constructor(options: AttributionBookOptions) {
    this.#options = options;
  }

  /** The ids of each row's words; asks the database once for each kind that it must. */
  async resolve(database: Queryable, rows: readonly UsageRow[]): Promise<Resolved[]> {
    const answers = new Map<string, string | null>();
    for (const kind of KINDS) await this.#learn(database, kind, rows, answers);
    return rows.map(({ attribution }) => {
      const resolved: Resolved = {};
      for (const kind of KINDS) {
        const key = keyOf(kind, attribution);
        if (key !== undefined) resolved[kind] = answers.get(key) ?? null;
      }
      return resolved;
    });
  }

  async #learn(
    database: Queryable,
    kind: Kind,
    rows: readonly UsageRow[],
    answers: Map<string, string | null>,
  ): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    const asked = new Map<string, Asked>();
    for (const { attribution } of rows) {
      const key = keyOf(kind, attribution);
      if (key === undefined || answers.has(key)) continue;
      const entry = this.#entries.get(key);
      if (entry && entry.untilMs > nowMs) answers.set(key, entry.id);
      else asked.set(key, askedOf(attribution[kind] ?? '', attribution));
    }
    if (asked.size === 0) return;
    const found = await lookUp(database, kind, [...asked.values()]);
    [...asked.keys()].forEach((key, i) => {
      answers.set(key, found[i] ?? null);
      this.#remember(key, found[i] ?? null, nowMs + this.#options.keptMs);
    });
  }

  #remember(key: string, id: string | null, untilMs: number): void {
    this.#entries.delete(key);
    this.#entries.set(key, { id, untilMs });
    if (this.#entries.size <= this.#options.entriesMax) return;
    const oldest = this.#entries.keys().next().value;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

function keyOf(kind: Kind, attribution: Attribution): string | undefined {
  const name = attribution[kind];
  return name === undefined ? undefined : `${kind}\n${attribution.projectId ?? ''}\n${name}`;
}

function askedOf(name: string, { projectId }: Attribution): Asked {
  const number = /^#?(\d{1,9})$/.exec(name)?.[1];
  return {
    name: name.replaceAll('\0', '\ufffd'),
    projectId: uuidOrNull(projectId),
    id: uuidOrNull(name),
    number: number === undefined ? null : Number(number),
  };
}

async function lookUp(
  database: Queryable,
  kind: Kind,
  asked: readonly Asked[],
): Promise<(string | null)[]> {
  const rows = await database.query<{ id: string | null }>(
    `select ${FOUND[kind]} as id
     from unnest($1::text[], $2::uuid[], $3::uuid[], $4::integer[])
       with ordinality as k(name, project_id, id, number, place) order by place`,
    [
      asked.map(({ name }) => name),
      asked.map(({ projectId }) => projectId),
      asked.map(({ id }) => id),
      asked.map(({ number }) => number),
    ],
  );
  return rows.map(({ id }) => id);
}
