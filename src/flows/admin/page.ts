// Lists in pages: a cursor is the sort key of the last row seen, so that rows which come or go
// meanwhile move nobody else. A cursor that we did not write is refused.

import { type Refused, refuse } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';

export interface PageRequest {
  cursor?: string | undefined;
  /** 1 to 200; 50 if absent. */
  limit?: number | undefined;
}

export interface Page<Row> {
  data: Row[];
  /** For the next page; null on the last one. */
  nextCursor: string | null;
}

export interface PageSource {
  /** `from` and joins. */
  from: string;
  /** Column names or expressions with names; no column may be called `page_key`. */
  columns: string;
  /** The time that orders the rows, oldest first unless `newestFirst`, and a unique id. */
  time: string;
  id: string;
  newestFirst?: boolean;
  /** Conditions with their parameters, `$1` being the first. */
  where?: readonly string[];
  params?: readonly unknown[];
}

const LIMIT_DEFAULT = 50;
const CURSOR =
  /^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?\+00)\|([0-9a-f-]{36}|\d{1,18}|[A-Z]{3})$/;

export async function readPage<Row>(
  database: Queryable,
  source: PageSource,
  request: PageRequest,
): Promise<Page<Row> | Refused> {
  const { time, id, newestFirst } = source;
  const params = [...(source.params ?? [])];
  const where = [...(source.where ?? [])];
  if (request.cursor !== undefined) {
    const [, after, afterId] = CURSOR.exec(decode(request.cursor)) ?? [];
    if (after === undefined || afterId === undefined) return badCursor();
    params.push(after, afterId);
    const than = newestFirst ? '<' : '>';
    // By way of text: as a timestamp the driver would cut its microseconds off.
    const [timeAt, idAt] = [`$${params.length - 1}::text::timestamptz`, `$${params.length}`];
    // The first condition says nothing new, but it is the one that an index of the time serves.
    where.push(`${time} ${than}= ${timeAt}`, `(${time}, ${id}::text) ${than} (${timeAt}, ${idAt})`);
  }
  const limit = request.limit ?? LIMIT_DEFAULT;
  const order = newestFirst ? 'desc' : 'asc';
  const rows = await database.query<Row & { page_key: string }>(
    `select ${source.columns},
       to_char(${time} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US"+00"') || '|' || ${id}
         as page_key
     from ${source.from} ${where.length > 0 ? `where ${where.join(' and ')}` : ''}
     order by ${time} ${order}, ${id}::text ${order} limit ${limit + 1}`,
    params,
  );
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1)?.page_key : undefined;
  const data = shown.map(({ page_key: _key, ...row }) => row as unknown as Row);
  return { data, nextCursor: last === undefined ? null : encode(last) };
}

function encode(key: string): string {
  return Buffer.from(key).toString('base64url');
}

function decode(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString('latin1');
}

function badCursor(): Refused {
  return refuse('invalid_value', 'This cursor is not one that a list gave.', { param: 'cursor' });
}
