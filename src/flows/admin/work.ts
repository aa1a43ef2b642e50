// Conversations and tasks: what calls are for. Callers name them by their external ids; a task for
// which something was spent stays, a conversation is archived.

import { type Refused, refuse } from '../../core/errors.js';
import type { Actor, AdminDeps } from './change.js';
import {
  type Columns,
  changeEntity,
  createEntity,
  type Entity,
  type ListRequest,
  listRows,
  readRow,
} from './entity.js';
import { removeEntity } from './remove.js';

export const CONVERSATION_TYPES = ['issue', 'general', 'task', 'review'] as const;
export const CONVERSATION_STATES = ['active', 'paused', 'completed', 'archived'] as const;
export const TASK_STATES = [
  'pending',
  'in_progress',
  'testing',
  'review',
  'completed',
  'failed',
] as const;
export const TASK_PRIORITIES = ['low', 'medium', 'high', 'urgent'] as const;

const CONVERSATION: Entity = {
  name: 'conversation',
  table: 'conversations',
  columns: `id, title, type, status, project_id, created_by_user_id, created_by_agent_id,
    external_id, created_at, updated_at`,
  hasOrigin: false,
};
const TASK: Entity = {
  name: 'task',
  table: 'tasks',
  columns: `id, title, description, status, priority, project_id, assigned_to_agent_id,
    definition_of_done, external_id, started_at, completed_at, created_at, updated_at`,
  hasOrigin: false,
};

function flowsOf(entity: Entity) {
  return {
    list: (deps: AdminDeps, request: ListRequest) => listRows(deps, entity, request, 'title'),
    read: (deps: AdminDeps, id: string) => readRow(deps.database, entity, id),
    create: (deps: AdminDeps, actor: Actor, input: Columns) =>
      createEntity(deps, actor, entity, input),
    change: (deps: AdminDeps, actor: Actor, id: string, input: Columns) =>
      changeEntity(deps, actor, entity, id, { action: 'update', columns: input }),
  };
}

export const conversations = {
  ...flowsOf(CONVERSATION),
  remove: (deps: AdminDeps, actor: Actor, id: string) =>
    changeEntity(deps, actor, CONVERSATION, id, {
      action: 'deactivate',
      columns: { status: 'archived' },
    }),
};

export const tasks = {
  ...flowsOf(TASK),
  remove: (deps: AdminDeps, actor: Actor, id: string) =>
    removeEntity(deps, actor, TASK, id, async (tx): Promise<Refused | undefined> => {
      const spent = await tx.query('select id from token_usage where task_id = $1 limit 1', [id]);
      if (spent.length === 0) return undefined;
      return refuse('invalid_value', 'Something was spent for this task: it stays.');
    }),
};
