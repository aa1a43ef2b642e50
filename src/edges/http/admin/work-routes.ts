// The doors of what agents know, of conversations and tasks, and of what users were told.

import * as memory from '../../../flows/admin/agent-memory.js';
import type { AdminDeps } from '../../../flows/admin/change.js';
import * as notifications from '../../../flows/admin/notifications.js';
import { conversations, tasks } from '../../../flows/admin/work.js';
import type { AdminRoute } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { listing, reading, writing } from './route.js';
import * as schemas from './schemas-work.js';

export function workRoutes(deps: AdminDeps): AdminRoute[] {
  return [
    ...memoryRoutes(deps),
    ...entityRoutes('conversations', {
      row: schemas.conversationRow,
      list: (request) => conversations.list(deps, request),
      read: (id) => conversations.read(deps, id),
      create: [schemas.newConversationSchema, (...args) => conversations.create(deps, ...args)],
      change: [schemas.conversationSchema, (...args) => conversations.change(deps, ...args)],
      remove: (...args) => conversations.remove(deps, ...args),
    }),
    ...entityRoutes('tasks', {
      row: schemas.taskRow,
      list: (request) => tasks.list(deps, request),
      read: (id) => tasks.read(deps, id),
      create: [schemas.newTaskSchema, (...args) => tasks.create(deps, ...args)],
      change: [schemas.taskSchema, (...args) => tasks.change(deps, ...args)],
      remove: (...args) => tasks.remove(deps, ...args),
    }),
    ...notificationRoutes(deps),
  ];
}

function memoryRoutes(deps: AdminDeps): AdminRoute[] {
  const path = 'agent-memory';
  // Its list is asked for by the agent.
  const [, ...others] = entityRoutes(path, {
    row: schemas.memoryRow,
    list: (request) => memory.listMemory(deps, request),
    read: (id) => memory.readMemory(deps, id),
    create: [schemas.newMemorySchema, (...args) => memory.createMemory(deps, ...args)],
    change: [schemas.memorySchema, (...args) => memory.changeMemory(deps, ...args)],
    remove: (...args) => memory.removeMemory(deps, ...args),
  });
  const list = listing(path, schemas.memoryListSchema, schemas.memoryRow, (request) =>
    memory.listMemory(deps, request),
  );
  return [list, ...others];
}

function notificationRoutes(deps: AdminDeps): AdminRoute[] {
  const [path, row] = ['notifications', schemas.notificationRow];
  return [
    listing(path, schemas.notificationListSchema, row, (request) =>
      notifications.listNotifications(deps, request),
    ),
    reading(`${path}/:id`, row, ({ id }) => notifications.readNotification(deps, id)),
    writing(
      ['PATCH', `${path}/:id`],
      schemas.notificationSchema,
      row,
      ({ actor, id }, { is_read: isRead }) =>
        notifications.markNotification(deps, actor, id, isRead),
    ),
  ];
}
