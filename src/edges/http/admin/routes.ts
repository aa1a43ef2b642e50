// Every door of the admin API, entity by entity: `/admin/v1/<entity>` and `/admin/v1/<entity>/:id`.

import * as agents from '../../../flows/admin/agents.js';
import type { KeyDeps } from '../../../flows/admin/keys.js';
import type { PairDeps } from '../../../flows/admin/person-occasions.js';
import * as projects from '../../../flows/admin/projects.js';
import { listAudit, listUsage } from '../../../flows/admin/records.js';
import type { ReservationDeps } from '../../../flows/admin/reservations.js';
import * as users from '../../../flows/admin/users.js';
import type { Door, Method } from '../app.js';
import { type AdminAuth, mountAdmin } from './doors.js';
import { entityRoutes, recordRoute } from './entity-routes.js';
import { keyRoutes } from './key-routes.js';
import { limitRoutes } from './limit-routes.js';
import { describeDoors } from './openapi.js';
import { policyRoutes } from './policy-routes.js';
import { type PreviewPrompt, promptRoutes } from './prompt-routes.js';
import { reportRoutes } from './report-routes.js';
import { reservationRoutes } from './reservation-routes.js';
import * as schemas from './schemas.js';

export type AdminDoorsDeps = KeyDeps &
  ReservationDeps &
  PairDeps & { auth: AdminAuth; previewPrompt?: PreviewPrompt };

/** For `openServer({more})`. */
export function createAdminDoors(deps: AdminDoorsDeps): (readonly [Method, string, Door])[] {
  const routes = [
    ...entityRoutes('projects', {
      list: (request) => projects.listProjects(deps, request),
      read: (id) => projects.readProject(deps, id),
      create: [schemas.newProjectSchema, (...args) => projects.createProject(deps, ...args)],
      change: [schemas.projectSchema, (...args) => projects.changeProject(deps, ...args)],
      remove: (...args) => projects.removeProject(deps, ...args),
    }),
    ...entityRoutes('users', {
      list: (request) => users.listUsers(deps, request),
      read: (id) => users.readUser(deps, id),
      create: [schemas.newUserSchema, (...args) => users.createUser(deps, ...args)],
      change: [schemas.userSchema, (...args) => users.changeUser(deps, ...args)],
      remove: (...args) => users.removeUser(deps, ...args),
    }),
    ...entityRoutes('agents', {
      list: (request) => agents.listAgents(deps, request),
      read: (id) => agents.readAgent(deps, id),
      create: [schemas.newAgentSchema, (...args) => agents.createAgent(deps, ...args)],
      change: [schemas.agentSchema, (...args) => agents.changeAgent(deps, ...args)],
      remove: (...args) => agents.removeAgent(deps, ...args),
    }),
    ...limitRoutes(deps),
    ...keyRoutes(deps),
    ...reservationRoutes(deps),
    ...promptRoutes(deps, deps.previewPrompt),
    ...policyRoutes(deps),
    ...reportRoutes(deps),
    recordRoute('usage/rows', schemas.usageListSchema, (request) => listUsage(deps, request)),
    recordRoute('audit', schemas.listSchema, (request) => listAudit(deps, request)),
  ];
  return [...mountAdmin(routes, deps.auth), ...describeDoors(routes)];
}
