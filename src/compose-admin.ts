// The admin API with what it changes.

import { createAdminDoors } from './edges/http/admin/routes.js';
import type { KeyDeps } from './flows/admin/keys.js';
import type { ReservationDeps } from './flows/admin/reservations.js';
import { openKeyVerifier } from './stores/api-keys.js';
import type { Directory } from './stores/directory.js';

export type AdminParts = KeyDeps & ReservationDeps & { directory: Directory };

export function composeAdmin(parts: AdminParts) {
  const verifier = openKeyVerifier(parts.pepper);
  return createAdminDoors({
    ...parts,
    auth: {
      verify: (credential) =>
        verifier.verify(credential, parts.directory.snapshot(), parts.clock.nowMs()),
    },
  });
}
