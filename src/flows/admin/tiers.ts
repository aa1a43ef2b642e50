// Tiers 1 to 9: what agents of each may use, and the budgets that they have by it; and what a
// project has otherwise. The nine are always there: they are changed, never made or removed.

import { isRefused, type Refused } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';
import { type Actor, type AdminDeps, change, notFound } from './change.js';
import {
  type Columns,
  changeEntity,
  createEntity,
  type Entity,
  type EntityRow,
  listRows,
  readRow,
} from './entity.js';
import { refuseCrowd } from './limit-room.js';
import { type Page, type PageRequest, readPage } from './page.js';
import { removeEntity } from './remove.js';

export interface TierInput {
  access_level?: string | undefined;
  allowed_models?: string[] | null | undefined;
  default_limits?: object[] | undefined;
}

export type TierOverrideInput = {
  [Member in keyof TierInput]: TierInput[Member] | null;
};

export const TIER_OVERRIDE: Entity = {
  name: 'tier override',
  table: 'tier_overrides',
  columns: `id, project_id, tier, access_level, allowed_models, default_limits, created_at,
    updated_at`,
  hasOrigin: false,
};

// Nine that are in the order of their numbers, whenever they were made.
const FIRST = `timestamptz 'epoch'`;
const COLUMNS = `tier, access_level, allowed_models, default_limits, version, created_at,
  updated_at`;
type TierRow = Record<string, unknown> & { tier: number };

export async function ensureTiers(database: Queryable): Promise<void> {
  const known = await database.query('select tier from tiers');
  if (known.length === LEVELS.length) return;
  await database.query(
    `insert into tiers (tier, access_level)
     select row_number() over (), level from unnest($1::text[]) as level
     on conflict (tier) do nothing`,
    [LEVELS],
  );
}

const LEVELS = ['free', 'pro', 'enterprise'].flatMap((level) => [level, level, level]);

export function listTiers(deps: AdminDeps, request: PageRequest): Promise<Page<TierRow> | Refused> {
  const source = { from: 'tiers', columns: COLUMNS, time: FIRST, id: 'tier' };
  return readPage<TierRow>(deps.database, source, request);
}

export async function readTier(
  queryable: Queryable,
  tier: number,
  lock = '',
): Promise<TierRow | Refused> {
  const rows = await queryable.query<TierRow>(
    `select ${COLUMNS} from tiers where tier = $1 ${lock}`,
    [tier],
  );
  return rows[0] ?? notFound('tier');
}

export function changeTier(
  deps: AdminDeps,
  actor: Actor,
  tier: number,
  input: TierInput,
): Promise<TierRow | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const before = await readTier(tx, tier, 'for update');
    if (isRefused(before)) return before;
    const given = Object.entries(input).filter(([, value]) => value !== undefined);
    for (const [name, value] of given) {
      await tx.query(`update tiers set ${name} = $2 where tier = $1`, [tier, value]);
    }
    const crowded = await refuseCrowd(tx, deps.log);
    if (crowded) return crowded;
    const after = await readTier(tx, tier);
    if (isRefused(after)) return after;
    await audit({ action: 'update', entity: 'tier', entityId: String(tier), before, after });
    return after;
  });
}

export const listOverrides = (deps: AdminDeps, request: PageRequest) =>
  listRows(deps, TIER_OVERRIDE, request);

export const readOverride = (deps: AdminDeps, id: string) =>
  readRow(deps.database, TIER_OVERRIDE, id);

export const createOverride = (
  deps: AdminDeps,
  actor: Actor,
  input: TierOverrideInput & { project_id: string; tier: number },
): Promise<EntityRow | Refused> =>
  createEntity(deps, actor, TIER_OVERRIDE, { ...input } as Columns, (tx) =>
    refuseCrowd(tx, deps.log),
  );

export const changeOverride = (
  deps: AdminDeps,
  actor: Actor,
  id: string,
  input: TierOverrideInput,
): Promise<EntityRow | Refused> =>
  changeEntity(deps, actor, TIER_OVERRIDE, id, {
    action: 'update',
    columns: { ...input },
    after: (tx) => refuseCrowd(tx, deps.log),
  });

export const removeOverride = (deps: AdminDeps, actor: Actor, id: string) =>
  removeEntity(deps, actor, TIER_OVERRIDE, id);
