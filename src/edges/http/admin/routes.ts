// Every door of the admin API, entity by entity: `/admin/v1/<entity>` and `/admin/v1/<entity>/:id`.

import * as agents from '../../../flows/admin/agents.js';
import type { KeyDeps } from '../../../flows/admin/keys.js';
import type { PairDeps } from '../../../flows/admin/person-occasions.js';
import * as projects from '../../../flows/admin/projects.js';
import { listAudit, listUsage } from '../../../flows/admin/records.js';
import type { ReservationDeps } from '../../../flows/admin/reservations.js';
import * as users from '../../../flows/admin/users.js';
import type { Door, Method } from '../app.js';
import * as answers from './answers.js';
import { auditRow, usageRow } from './answers-policy.js';
import { entityRoutes } from './entity-routes.js';
import { keyRoutes } from './key-routes.js';
import { limitRoutes } from './limit-routes.js';
import { type MountDeps, mountAdmin } from './mount.js';
import { describeDoors } from './openapi.js';
import { policyRoutes } from './policy-routes.js';
import { type PreviewPrompt, promptRoutes } from './prompt-routes.js';
import { reportRoutes } from './report-routes.js';
import { reservationRoutes } from './reservation-routes.js';
import { listing } from './route.js';
import * as schemas from './schemas.js';
import { workRoutes } from './work-routes.js';

export type AdminDoorsDeps = KeyDeps &
  ReservationDeps &
  PairDeps & { auth: MountDeps['auth']; previewPrompt?: PreviewPrompt };

/** For `openServer({more})`. */
export function createAdminDoors(deps: AdminDoorsDeps): (readonly [Method, string, Door])[] {
  const routes = [
    ...entityRoutes('projects', {
      row: answers.projectRow,
      list: (request) => projects.listProjects(deps, request),
      read: (id) => projects.readProject(deps, id),
      create: [schemas.newProjectSchema, (...args) => projects.createProject(deps, ...args)],
      change: [schemas.projectSchema, (...args) => projects.changeProject(deps, ...args)],
      remove: (...args) => projects.removeProject(deps, ...args),
    }),
    ...entityRoutes('users', {
      row: answers.userRow,
      list: (request) => users.listUsers(deps, request),
      read: (id) => users.readUser(deps, id),
      create: [schemas.newUserSchema, (...args) => users.createUser(deps, ...args)],
      change: [schemas.userSchema, (...args) => users.changeUser(deps, ...args)],
      remove: (...args) => users.removeUser(deps, ...args),
    }),
    ...entityRoutes('agents', {
      row: answers.agentRow,
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
    ...workRoutes(deps),
    ...reportRoutes(deps),
    listing('usage/rows', schemas.usageListSchema, usageRow, (asked) => listUsage(deps, asked)),
    listing('audit', schemas.pageSchema, auditRow, (asked) => listAudit(deps, asked)),
  ];
  return [...mountAdmin(routes, deps), ...describeDoors(routes)];
}
