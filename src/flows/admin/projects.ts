// Projects: who owns the agents and their budgets. Deleting one makes it inactive, and the keys of
// its agents stop with it; usage stays.

import { type Refused, refuse } from '../../core/errors.js';
import type { Actor, AdminDeps } from './change.js';
import {
  changeEntity,
  createEntity,
  type Entity,
  type EntityRow,
  type ListRequest,
  listRows,
  readRow,
} from './entity.js';

export const PROJECT: Entity = {
  name: 'project',
  table: 'projects',
  columns: `id, name, description, github_repo, owner_id, is_active, origin, created_at,
    updated_at`,
  hasOrigin: true,
};

export interface ProjectInput {
  name?: string | undefined;
  description?: string | null | undefined;
  github_repo?: string | null | undefined;
  owner_id?: string | undefined;
  is_active?: boolean | undefined;
}

export const listProjects = (deps: AdminDeps, request: ListRequest) =>
  listRows(deps, PROJECT, request);

export const readProject = (deps: AdminDeps, id: string) => readRow(deps.database, PROJECT, id);

/** Without an owner it belongs to the first admin. */
export async function createProject(
  deps: AdminDeps,
  actor: Actor,
  input: ProjectInput & { name: string },
): Promise<EntityRow | Refused> {
  const ownerId = input.owner_id ?? (await firstAdmin(deps));
  if (ownerId === undefined) {
    return refuse('invalid_value', 'There is no admin who could own it.', { param: 'owner_id' });
  }
  return createEntity(deps, actor, PROJECT, { ...input, owner_id: ownerId });
}

export const changeProject = (deps: AdminDeps, actor: Actor, id: string, input: ProjectInput) =>
  changeEntity(deps, actor, PROJECT, id, { action: 'update', columns: { ...input } });

export const removeProject = (deps: AdminDeps, actor: Actor, id: string) =>
  changeEntity(deps, actor, PROJECT, id, {
    action: 'deactivate',
    columns: { is_active: false },
  });

async function firstAdmin(deps: AdminDeps): Promise<string | undefined> {
  const rows = await deps.database.query<{ id: string }>(
    'select id from users where is_admin and is_active order by created_at, id limit 1',
  );
  return rows[0]?.id;
}
