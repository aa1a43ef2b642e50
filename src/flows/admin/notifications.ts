// What users were told: thresholds, closed periods, revoked keys, drift. An operator reads them
// and marks them as read.

import type { Actor, AdminDeps } from './change.js';
import { changeEntity, type Entity, type EntityRow, readRow } from './entity.js';
import { type PageRequest, readPage } from './page.js';

const NOTIFICATION: Entity = {
  name: 'notification',
  table: 'notifications',
  columns: `id, type, title, message, severity, user_id, project_id, agent_id,
    coalesce(is_read, false) as is_read, metadata, created_at`,
  hasOrigin: false,
};

export interface NotificationListRequest extends PageRequest {
  user_id?: string | undefined;
  is_read?: boolean | undefined;
}

/** The newest first. */
export function listNotifications(
  deps: AdminDeps,
  { user_id: userId, is_read: isRead, ...request }: NotificationListRequest,
) {
  const given = [
    ['user_id = ', userId],
    ['coalesce(is_read, false) = ', isRead],
  ].filter(([, value]) => value !== undefined);
  const source = {
    from: NOTIFICATION.table,
    columns: NOTIFICATION.columns,
    time: 'created_at',
    id: 'id',
    newestFirst: true,
    where: given.map(([condition], index) => `${String(condition)}$${index + 1}`),
    params: given.map(([, value]) => value),
  };
  return readPage<EntityRow>(deps.database, source, request);
}

export const readNotification = (deps: AdminDeps, id: string) =>
  readRow(deps.database, NOTIFICATION, id);

export const markNotification = (deps: AdminDeps, actor: Actor, id: string, isRead: boolean) =>
  changeEntity(deps, actor, NOTIFICATION, id, { action: 'update', columns: { is_read: isRead } });
