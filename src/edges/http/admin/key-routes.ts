// The doors of keys: CRUD, and the turns of a key's life that are no plain change.

import * as keys from '../../../flows/admin/keys.js';
import { type AdminDoor, type AdminRoute, answered } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { keySchema, newKeySchema } from './schemas.js';

export function keyRoutes(deps: keys.KeyDeps): AdminRoute[] {
  const turn = (name: string, door: AdminDoor): AdminRoute => ({
    method: 'POST',
    path: `keys/:id/${name}`,
    kind: 'write',
    door,
  });
  return [
    ...entityRoutes('keys', {
      list: (request) => keys.listKeys(deps, request),
      read: (id) => keys.readKey(deps, id),
      create: [
        newKeySchema,
        (actor, input) =>
          keys.createKey(deps, actor, {
            name: input.name,
            kind: input.kind,
            role: input.role ?? null,
            agentId: input.agent_id ?? null,
            userId: input.user_id ?? null,
            allowedModels: input.allowed_models ?? null,
            expiresAtMs: input.expires_at?.getTime() ?? null,
            dimensions: {
              fixed: input.fixed_dimensions ?? {},
              required: input.required_dimensions ?? [],
              allowed: input.allowed_dimensions ?? null,
            },
          }),
      ],
      change: [keySchema, (actor, id, input) => keys.changeKey(deps, actor, id, input)],
      remove: (actor, id) => keys.revokeKey(deps, actor, id),
    }),
    turn('rotate', async ({ actor, id }) => answered(await keys.rotateKey(deps, actor, id), 201)),
    turn('disable', async ({ actor, id }) => answered(await keys.disableKey(deps, actor, id))),
    turn('enable', async ({ actor, id }) => answered(await keys.enableKey(deps, actor, id))),
    turn('revoke', async ({ actor, id }) => answered(await keys.revokeKey(deps, actor, id))),
  ];
}
