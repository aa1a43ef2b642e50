// The doors of keys: CRUD, and the turns of a key's life that are no plain change.

import * as keys from '../../../flows/admin/keys.js';
import { keyRow, madeKeyRow } from './answers.js';
import type { AdminRoute } from './doors.js';
import { entityRoutes } from './entity-routes.js';
import { acting } from './route.js';
import { keySchema, newKeySchema } from './schemas.js';

export function keyRoutes(deps: keys.KeyDeps): AdminRoute[] {
  const turn = (name: 'rotate' | 'disable' | 'enable' | 'revoke') =>
    ['POST', `keys/:id/${name}`] as const;
  return [
    ...entityRoutes('keys', {
      row: keyRow,
      madeRow: madeKeyRow,
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
    acting(turn('rotate'), madeKeyRow, ({ actor, id }) => keys.rotateKey(deps, actor, id), 201),
    acting(turn('disable'), keyRow, ({ actor, id }) => keys.disableKey(deps, actor, id)),
    acting(turn('enable'), keyRow, ({ actor, id }) => keys.enableKey(deps, actor, id)),
    acting(turn('revoke'), keyRow, ({ actor, id }) => keys.revokeKey(deps, actor, id)),
  ];
}
