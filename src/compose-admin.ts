// The admin API with what it changes.

import type { PreviewPrompt } from './edges/http/admin/prompt-routes.js';
import { createAdminDoors } from './edges/http/admin/routes.js';
import type { KeyDeps } from './flows/admin/keys.js';
import type { PairDeps } from './flows/admin/person-occasions.js';
import type { ReservationDeps } from './flows/admin/reservations.js';
import { openKeyVerifier } from './stores/api-keys.js';
import type { Directory } from './stores/directory.js';

export type AdminParts = KeyDeps & ReservationDeps & PairDeps & { directory: Directory };

export function composeAdmin(parts: AdminParts, previewPrompt: PreviewPrompt) {
  const verifier = openKeyVerifier(parts.pepper);
  return createAdminDoors({
    ...parts,
    previewPrompt,
    auth: {
      verify: (credential) =>
        verifier.verify(credential, parts.directory.snapshot(), parts.clock.nowMs()),
    },
  });
}
