// One row as the configuration file wants it: inserted, changed, or found to be so already.

import { isDeepStrictEqual } from 'node:util';
import { assert } from '../../core/assert.js';
import { isRefused } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';
import type { AuditEntry } from './change.js';
import { type Columns, type Entity, type EntityRow, insertRow, updateRow } from './entity.js';

/** What applying the file has changed, as `limit global/usd/monthly`. */
export interface Applied {
  created: string[];
  updated: string[];
  deactivated: string[];
}

export interface Told {
  applied: Applied;
  audit: (entry: AuditEntry) => Promise<void>;
}

export interface Wanted {
  found: EntityRow | undefined;
  /** Compared and changed. */
  columns: Columns;
  /** Only said at the insert. */
  fixed: Columns;
}

/** Answers the row's id. */
export async function put(
  tx: Queryable,
  told: Told,
  entity: Entity,
  label: string,
  { found, columns, fixed }: Wanted,
): Promise<string> {
  const wanted: Columns = { ...columns, origin: 'file', is_active: true };
  const what = `${entity.name} ${label}`;
  if (!found) {
    const row = await insertRow(tx, entity, { ...fixed, ...wanted });
    told.applied.created.push(what);
    await told.audit({ action: 'create', entity: entity.name, entityId: row.id, after: row });
    return row.id;
  }
  const different = Object.entries(wanted).filter(
    ([name, value]) => !isDeepStrictEqual(found[name], value),
  );
  if (different.length === 0) return found.id;
  const after = await updateRow(tx, entity, found.id, Object.fromEntries(different));
  assert(!isRefused(after), `the row of ${what} was gone inside its own transaction`);
  told.applied.updated.push(what);
  await told.audit({
    action: 'update',
    entity: entity.name,
    entityId: found.id,
    before: found,
    after,
  });
  return found.id;
}

/** Makes inactive what the file named once and names no more. */
export async function deactivateRest(
  tx: Queryable,
  told: Told,
  entity: Entity,
  kept: readonly string[],
): Promise<void> {
  const gone = await tx.query<{ id: string; name: string }>(
    `select id, name from ${entity.table}
     where origin = 'file' and is_active and id <> all($1::uuid[])`,
    [kept],
  );
  for (const { id, name } of gone) {
    await tx.query(`update ${entity.table} set is_active = false where id = $1`, [id]);
    told.applied.deactivated.push(`${entity.name} ${name}`);
    await told.audit({
      action: 'deactivate',
      entity: entity.name,
      entityId: id,
      reason: 'gone from the configuration file',
    });
  }
}
