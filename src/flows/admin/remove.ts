// Rows that may really go, because nothing that was spent hangs on them.

import { isRefused, type Refused } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';
import { type Actor, type AdminDeps, change } from './change.js';
import { type Entity, type EntityRow, readRow } from './entity.js';

export function removeEntity(
  deps: AdminDeps,
  actor: Actor,
  entity: Entity,
  id: string,
  check: (tx: Queryable, row: EntityRow) => Promise<Refused | undefined> = async () => undefined,
): Promise<EntityRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const before = await readRow(tx, entity, id, 'for update');
    if (isRefused(before)) return before;
    const refused = await check(tx, before);
    if (refused) return refused;
    await tx.query(`delete from ${entity.table} where id = $1`, [id]);
    await audit({ action: 'delete', entity: entity.name, entityId: id, before });
    return before;
  });
}
