// Users: the people who own projects and get the notices. Nobody signs in by password here, so a
// new user's password hash is one that no password has.

import type { Actor, AdminDeps } from './change.js';
import {
  changeEntity,
  createEntity,
  type Entity,
  type ListRequest,
  listRows,
  readRow,
} from './entity.js';

export const UNUSABLE_PASSWORD = '!';

export const USER: Entity = {
  name: 'user',
  table: 'users',
  columns: 'id, username, email, is_admin, is_active, created_at, updated_at',
  hasOrigin: false,
};

export interface UserInput {
  username?: string | undefined;
  email?: string | undefined;
  is_admin?: boolean | undefined;
  is_active?: boolean | undefined;
}

export const listUsers = (deps: AdminDeps, request: ListRequest) =>
  listRows(deps, USER, request, 'username');

export const readUser = (deps: AdminDeps, id: string) => readRow(deps.database, USER, id);

export const createUser = (deps: AdminDeps, actor: Actor, input: UserInput) =>
  createEntity(deps, actor, USER, { ...input, password_hash: UNUSABLE_PASSWORD });

export const changeUser = (deps: AdminDeps, actor: Actor, id: string, input: UserInput) =>
  changeEntity(deps, actor, USER, id, { action: 'update', columns: { ...input } });

export const removeUser = (deps: AdminDeps, actor: Actor, id: string) =>
  changeEntity(deps, actor, USER, id, { action: 'deactivate', columns: { is_active: false } });
