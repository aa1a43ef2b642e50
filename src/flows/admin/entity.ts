// What most entities have in common: rows read one or a page at a time, and columns of one row
// changed with its before and after in the audit log.

import { isRefused, type Refused } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';
import { type Actor, type AdminDeps, change, managedByFile, notFound } from './change.js';
import { type Page, type PageRequest, readPage } from './page.js';

export type EntityRow = Record<string, unknown> & { id: string };

export interface Entity {
  /** As people read it: `project`. */
  name: string;
  table: string;
  /** What is shown: a select list; never a secret. */
  columns: string;
  /** Rows of the configuration file are changed there. */
  hasOrigin: boolean;
  /** The column that takes any JSON, a lone truth value or number too. */
  anyJson?: string;
}

export interface ListRequest extends PageRequest {
  name?: string | undefined;
}

export function listRows(
  deps: AdminDeps,
  entity: Entity,
  request: ListRequest,
  nameColumn = 'name',
): Promise<Page<EntityRow> | Refused> {
  const named = request.name !== undefined;
  const source = {
    from: entity.table,
    columns: entity.columns,
    time: 'created_at',
    id: 'id',
    where: named ? [`${nameColumn} = $1`] : [],
    params: named ? [request.name] : [],
  };
  return readPage<EntityRow>(deps.database, source, request);
}

export async function readRow(
  queryable: Queryable,
  entity: Entity,
  id: string,
  lock = '',
): Promise<EntityRow | Refused> {
  const rows = await queryable.query<EntityRow>(
    `select ${entity.columns} from ${entity.table} where id = $1 ${lock}`,
    [id],
  );
  return rows[0] ?? notFound(entity.name);
}

/** Columns and their new values; what is undefined stays. */
export type Columns = Record<string, unknown>;

/** Inserts a row and answers it as it is shown. */
export async function insertRow(
  tx: Queryable,
  entity: Entity,
  columns: Columns,
): Promise<EntityRow> {
  const given = givenColumns(entity, columns);
  const names = given.map(({ name }) => name).join(', ');
  const places = given.map(({ place }, index) => place(index + 1)).join(', ');
  const rows = await tx.query<EntityRow>(
    `insert into ${entity.table} (${names}) values (${places}) returning ${entity.columns}`,
    given.map(({ value }) => value),
  );
  return rows[0]!;
}

// The driver takes the type of a lone truth value or number from itself, not from the column: in
// an object they are JSON.
function givenColumns(entity: Entity, columns: Columns) {
  return Object.entries(columns)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      if (name !== entity.anyJson) return { name, value, place: (at: number) => `$${at}` };
      return { name, value: { json: value }, place: (at: number) => `($${at}::jsonb -> 'json')` };
    });
}

export async function updateRow(
  tx: Queryable,
  entity: Entity,
  id: string,
  columns: Columns,
): Promise<EntityRow | Refused> {
  const given = givenColumns(entity, columns);
  if (given.length === 0) return readRow(tx, entity, id);
  const sets = given.map(({ name, place }, index) => `${name} = ${place(index + 2)}`).join(', ');
  const rows = await tx.query<EntityRow>(
    `update ${entity.table} set ${sets} where id = $1 returning ${entity.columns}`,
    [id, ...given.map(({ value }) => value)],
  );
  return rows[0] ?? notFound(entity.name);
}

/** Makes a row with its audit line; `check` may still refuse it. */
export function createEntity(
  deps: AdminDeps,
  actor: Actor,
  entity: Entity,
  columns: Columns,
  check: (tx: Queryable) => Promise<Refused | undefined> = async () => undefined,
): Promise<EntityRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const row = await insertRow(tx, entity, columns);
    const refused = await check(tx);
    if (refused) return refused;
    await audit({ action: 'create', entity: entity.name, entityId: row.id, after: row });
    return row;
  });
}

export interface EntityChange {
  action: 'update' | 'deactivate' | 'revoke' | 'disable' | 'enable';
  columns: Columns;
  /** May refuse by the row as it is, or by the rows as they are afterwards. */
  before?: (row: EntityRow) => Refused | undefined;
  after?: (tx: Queryable) => Promise<Refused | undefined>;
  reason?: string | undefined;
  /** What else is written with it. */
  beside?: (tx: Queryable, after: EntityRow) => Promise<void>;
}

export function changeEntity(
  deps: AdminDeps,
  actor: Actor,
  entity: Entity,
  id: string,
  wanted: EntityChange,
): Promise<EntityRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const before = await readRow(tx, entity, id, 'for update');
    if (isRefused(before)) return before;
    if (entity.hasOrigin && before.origin === 'file') return managedByFile(entity.name);
    const refused = wanted.before?.(before);
    if (refused) return refused;
    const after = await updateRow(tx, entity, id, wanted.columns);
    if (isRefused(after)) return after;
    const late = await wanted.after?.(tx);
    if (late) return late;
    await wanted.beside?.(tx, after);
    const { action, reason } = wanted;
    await audit({
      action,
      entity: entity.name,
      entityId: id,
      before,
      after,
      ...(reason !== undefined && { reason }),
    });
    return after;
  });
}
