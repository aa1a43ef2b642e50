// Persons and occasions: who something is bought for, and when. Callers name them by their
// external ids. One that still takes part in something stays.

import { type Refused, refuse } from '../../core/errors.js';
import type { Actor, AdminDeps } from './change.js';
import {
  changeEntity,
  createEntity,
  type Entity,
  type ListRequest,
  listRows,
  readRow,
} from './entity.js';
import { removeEntity } from './remove.js';

export const PERSON: Entity = {
  name: 'person',
  table: 'persons',
  columns: 'id, name, external_id, created_at, updated_at',
  hasOrigin: false,
};
export const OCCASION: Entity = {
  name: 'occasion',
  table: 'occasions',
  columns: 'id, name, external_id, occurs_on, created_at, updated_at',
  hasOrigin: false,
};

export interface PersonInput {
  name?: string | undefined;
  external_id?: string | null | undefined;
}
export interface OccasionInput extends PersonInput {
  occurs_on?: string | null | undefined;
}

/** What the doors of both do. */
export function peopleFlows(entity: Entity, column: 'person_id' | 'occasion_id') {
  return {
    list: (deps: AdminDeps, request: ListRequest) => listRows(deps, entity, request),
    read: (deps: AdminDeps, id: string) => readRow(deps.database, entity, id),
    create: (deps: AdminDeps, actor: Actor, input: OccasionInput) =>
      createEntity(deps, actor, entity, { ...input }),
    change: (deps: AdminDeps, actor: Actor, id: string, input: OccasionInput) =>
      changeEntity(deps, actor, entity, id, { action: 'update', columns: { ...input } }),
    remove: (deps: AdminDeps, actor: Actor, id: string) =>
      removeEntity(deps, actor, entity, id, async (tx): Promise<Refused | undefined> => {
        const pairs = await tx.query(
          `select id from person_occasions where ${column} = $1 limit 1`,
          [id],
        );
        if (pairs.length === 0) return undefined;
        return refuse('invalid_value', `This ${entity.name} still has budgets: remove them first.`);
      }),
  };
}
