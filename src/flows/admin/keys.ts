// API keys: made and shown once, rotated with a day of grace for the old one, disabled, revoked.
// Keys of admins are an owner's business alone.

import type { Dimension, KeyDimensions } from '../../core/directory.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { GIVEN_KEY_PUBLIC_ID, insertKey, type NewKey } from '../../stores/api-keys.js';
import { enqueueNotice } from '../../stores/notices.js';
import { type Actor, type AdminDeps, change, managedByFile } from './change.js';
import {
  type Columns,
  changeEntity,
  type Entity,
  type EntityChange,
  type EntityRow,
  type ListRequest,
  listRows,
  readRow,
} from './entity.js';

export interface KeyDeps extends AdminDeps {
  pepper: Buffer;
}

export const KEY: Entity = {
  name: 'key',
  table: 'api_keys',
  columns: `id, public_id, prefix, name, kind, role, agent_id, user_id, allowed_models,
    fixed_dimensions, required_dimensions, allowed_dimensions, expires_at, disabled_at,
    revoked_at, grace_until, rotated_from, created_at, updated_at, last_used_at`,
  hasOrigin: false,
};

export const ROTATION_GRACE_MS = 24 * 60 * 60 * 1000;

export interface KeyInput {
  name?: string | undefined;
  allowed_models?: string[] | null | undefined;
  expires_at?: Date | null | undefined;
  disabled?: boolean | undefined;
  fixed_dimensions?: KeyDimensions['fixed'] | undefined;
  required_dimensions?: readonly Dimension[] | undefined;
  allowed_dimensions?: readonly Dimension[] | null | undefined;
}

/** A key's row, and the key itself where it was just made. */
export type MadeKey = EntityRow & { key: string };

export const listKeys = (deps: AdminDeps, request: ListRequest) => listRows(deps, KEY, request);

export const readKey = (deps: AdminDeps, id: string) => readRow(deps.database, KEY, id);

export function createKey(deps: KeyDeps, actor: Actor, key: NewKey): Promise<MadeKey | Refused> {
  if (key.kind === 'admin' && actor.role !== 'owner') return Promise.resolve(ownersOnly());
  return change(deps, actor, async (tx, audit) => {
    const { id, text } = await insertKey(tx, deps.pepper, key);
    const row = await readRow(tx, KEY, id);
    if (isRefused(row)) return row;
    await audit({ action: 'create', entity: 'key', entityId: id, after: row });
    return { ...row, key: text };
  });
}

export function changeKey(
  deps: AdminDeps,
  actor: Actor,
  id: string,
  input: KeyInput,
): Promise<EntityRow | Refused> {
  const { disabled, ...columns } = input;
  const disabledAt = disabled
    ? new Date(deps.clock.nowMs())
    : disabled === false
      ? null
      : undefined;
  return touch(deps, actor, id, 'update', { ...columns, disabled_at: disabledAt });
}

export function disableKey(deps: AdminDeps, actor: Actor, id: string) {
  return touch(deps, actor, id, 'disable', { disabled_at: new Date(deps.clock.nowMs()) });
}

export function enableKey(deps: AdminDeps, actor: Actor, id: string) {
  return touch(deps, actor, id, 'enable', { disabled_at: null });
}

/** For ever: a revoked key never works again. */
export function revokeKey(deps: AdminDeps, actor: Actor, id: string, reason?: string) {
  const nowMs = deps.clock.nowMs();
  const columns = { revoked_at: new Date(nowMs) };
  return touch(deps, actor, id, 'revoke', columns, reason, (tx, row) => {
    const [name, prefix] = [String(row.name), String(row.prefix)];
    const news = {
      type: 'key.revoked',
      key: `key.revoked/${id}`,
      title: `The key ${name} was revoked`,
      message: `${prefix} works no more.${reason === undefined ? '' : ` ${reason}`}`,
      severity: 'warning',
      about: { key_id: id, name, prefix },
      agentId: row.agent_id as string | null,
    } as const;
    return enqueueNotice(tx, news, nowMs);
  });
}

function touch(
  deps: AdminDeps,
  actor: Actor,
  id: string,
  action: 'update' | 'disable' | 'enable' | 'revoke',
  columns: Columns,
  reason?: string,
  beside?: EntityChange['beside'],
): Promise<EntityRow | Refused> {
  const before = (row: EntityRow) => refuseTouch(actor, row);
  return changeEntity(deps, actor, KEY, id, {
    action,
    columns,
    before,
    reason,
    ...(beside && { beside }),
  });
}

/** A new key in place of an old one, which works for another day. */
export function rotateKey(deps: KeyDeps, actor: Actor, id: string): Promise<MadeKey | Refused> {
  return change(deps, actor, async (tx, audit) => {
    const old = await readRow(tx, KEY, id, 'for update');
    if (isRefused(old)) return old;
    const refused = refuseTouch(actor, old);
    if (refused) return refused;
    const [row] = await tx.query<NewKey & KeyDimensions & { expires: Date | null }>(
      `select name, kind, role, agent_id as "agentId", user_id as "userId",
         allowed_models as "allowedModels", expires_at as expires,
         fixed_dimensions as fixed, required_dimensions as required,
         allowed_dimensions as allowed
       from api_keys where id = $1`,
      [id],
    );
    const expiresAtMs = row!.expires?.getTime() ?? null;
    const { fixed, required, allowed, ...same } = row!;
    const dimensions = { fixed, required, allowed };
    const next = { ...same, dimensions, expiresAtMs, rotatedFrom: id };
    const made = await insertKey(tx, deps.pepper, next);
    const graceUntil = new Date(deps.clock.nowMs() + ROTATION_GRACE_MS);
    await tx.query(
      'update api_keys set grace_until = least(coalesce(grace_until, $2), $2) where id = $1',
      [id, graceUntil],
    );
    const after = await readRow(tx, KEY, made.id);
    if (isRefused(after)) return after;
    await audit({ action: 'rotate', entity: 'key', entityId: id, before: old, after });
    return { ...after, key: made.text };
  });
}

function refuseTouch(actor: Actor, row: EntityRow): Refused | undefined {
  if (row.kind === 'admin' && actor.role !== 'owner') return ownersOnly();
  if (row.public_id === GIVEN_KEY_PUBLIC_ID) return managedByFile('key PURSER_ADMIN_KEY');
  if (row.revoked_at !== null) return refuse('key_revoked', 'This key was revoked for ever.');
  return undefined;
}

function ownersOnly(): Refused {
  return refuse('insufficient_permissions', 'Only an owner may touch the keys of admins.');
}
