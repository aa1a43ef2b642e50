// What agents have noted: a value under a category and a key, for one project or for all, of an
// importance from 1 to 10, until it expires. Prompts take it from here.

import type { Json } from '../../core/json.js';
import type { Actor, AdminDeps } from './change.js';
import { changeEntity, createEntity, type Entity, type EntityRow, readRow } from './entity.js';
import { type PageRequest, readPage } from './page.js';
import { removeEntity } from './remove.js';

export const MEMORY: Entity = {
  name: 'agent memory',
  table: 'agent_memory',
  columns: `id, agent_id, project_id, category, key, value, coalesce(importance, 5) as importance,
    expires_at, created_at, updated_at`,
  hasOrigin: false,
  anyJson: 'value',
};

export interface MemoryInput {
  category?: string | undefined;
  key?: string | undefined;
  value?: Json | undefined;
  importance?: number | undefined;
  expires_at?: Date | null | undefined;
}

export interface NewMemory extends MemoryInput {
  agent_id: string;
  project_id?: string | null | undefined;
}

export function listMemory(
  deps: AdminDeps,
  { agent_id: agentId, ...request }: PageRequest & { agent_id?: string | undefined },
) {
  const source = {
    from: MEMORY.table,
    columns: MEMORY.columns,
    time: 'created_at',
    id: 'id',
    where: agentId === undefined ? [] : ['agent_id = $1'],
    params: agentId === undefined ? [] : [agentId],
  };
  return readPage<EntityRow>(deps.database, source, request);
}

export const readMemory = (deps: AdminDeps, id: string) => readRow(deps.database, MEMORY, id);

export const createMemory = (deps: AdminDeps, actor: Actor, input: NewMemory) =>
  createEntity(deps, actor, MEMORY, { ...input });

export const changeMemory = (deps: AdminDeps, actor: Actor, id: string, input: MemoryInput) =>
  changeEntity(deps, actor, MEMORY, id, { action: 'update', columns: { ...input } });

export const removeMemory = (deps: AdminDeps, actor: Actor, id: string) =>
  removeEntity(deps, actor, MEMORY, id);
