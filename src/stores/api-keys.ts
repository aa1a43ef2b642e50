// API keys at rest and at the door. A key is checked against the directory in memory, in the same
// time whether it exists or not; who it is once checked is remembered by its full 256-bit digest
// until the directory changes. SQL only ever sees a keyed hash.

import { hash, randomBytes } from 'node:crypto';
import { assert } from '../core/assert.js';
import type { DirectorySnapshot, KeyDimensions, KeyRow } from '../core/directory.js';
import { type Refused, refuse } from '../core/errors.js';
import type { Database, Queryable } from '../drivers/database.js';
import { hashKey, judgeKey, mintKey, parseKey, sameHash } from '../rules/keys/api-key.js';

/** The row of the admin key that the operator chose himself; no minted key has this id. */
export const GIVEN_KEY_PUBLIC_ID = '000000000000';

const VERIFIED_MAX = 10_000;
const NO_HASH = Buffer.alloc(32);

export interface KeyVerifier {
  /** The key's row if the key is good now, else why it is not. */
  verify(credential: string, snapshot: DirectorySnapshot, nowMs: number): KeyRow | Refused;
  /** The same of a key that was verified against the snapshot that is in force. */
  judge(row: KeyRow, nowMs: number): KeyRow | Refused;
}

export function openKeyVerifier(pepper: Buffer): KeyVerifier {
  let known: DirectorySnapshot | undefined;
  const verified = new Map<string, KeyRow>();

  const find = (credential: string, snapshot: DirectorySnapshot): KeyRow | undefined => {
    const parsed = parseKey(credential);
    const own = parsed && snapshot.keysByPublicId.get(parsed.publicId);
    const row = own ?? snapshot.keysByPublicId.get(GIVEN_KEY_PUBLIC_ID);
    const right = sameHash(hashKey(credential, pepper), row?.secretHash ?? NO_HASH);
    return right ? row : undefined;
  };
  return {
    verify(credential, snapshot, nowMs) {
      if (snapshot !== known) {
        known = snapshot;
        verified.clear();
      }
      if (credential === '') return refuse('invalid_api_key', MISSING, CHALLENGE);
      const digest = hash('sha256', credential);
      let row = verified.get(digest);
      if (!row) {
        row = find(credential, snapshot);
        if (!row) return refuse('invalid_api_key', UNKNOWN, CHALLENGE);
        if (verified.size >= VERIFIED_MAX) verified.clear();
        verified.set(digest, row);
      }
      return judge(row, nowMs);
    },
    judge,
  };
}

function judge(row: KeyRow, nowMs: number): KeyRow | Refused {
  const verdict = judgeKey(row, nowMs);
  if (verdict === 'ok') return row;
  if (verdict === 'revoked') return refuse('key_revoked', REVOKED, CHALLENGE);
  if (verdict === 'expired') return refuse('key_expired', EXPIRED, CHALLENGE);
  return refuse('key_disabled', DISABLED, CHALLENGE);
}

const CHALLENGE = { headers: { 'www-authenticate': 'Bearer realm="purser"' } };
const MISSING = 'No API key was given. Send it as "Authorization: Bearer sk-purser-...".';
const UNKNOWN = 'This API key is not known here.';
const REVOKED = 'This API key was revoked.';
const EXPIRED = 'This API key has expired.';
const DISABLED = 'This API key is disabled.';

const PEPPER_KEY = 'key_pepper';
const PEPPER_BYTES = 32;

/** The given pepper, else the one in `settings`, which the first to ask makes. */
export async function loadPepper(database: Database, given: string | undefined): Promise<Buffer> {
  if (given !== undefined && given !== '') return Buffer.from(given, 'utf8');
  const known = await readPepper(database);
  if (known) return known;
  const fresh = randomBytes(PEPPER_BYTES).toString('base64');
  await database.query(
    'insert into settings (key, value) values ($1, $2) on conflict (key) do nothing',
    [PEPPER_KEY, { base64: fresh }],
  );
  const kept = await readPepper(database);
  assert(kept, 'the pepper was gone as soon as it was written');
  return kept;
}

async function readPepper(database: Database): Promise<Buffer | undefined> {
  const rows = await database.query<{ value: { base64: string } }>(
    'select value from settings where key = $1',
    [PEPPER_KEY],
  );
  return rows[0] && Buffer.from(rows[0].value.base64, 'base64');
}

export interface NewKey {
  name: string;
  kind: 'agent' | 'admin';
  role: 'owner' | 'finance' | 'operator' | null;
  agentId: string | null;
  userId: string | null;
  allowedModels: readonly string[] | null;
  expiresAtMs: number | null;
  dimensions?: KeyDimensions;
  /** The key that this one replaces. */
  rotatedFrom?: string;
}

/** Inserts a key and answers its text, which is nowhere kept. `given`: the operator's own text. */
export async function insertKey(
  queryable: Queryable,
  pepper: Buffer,
  key: NewKey,
  given?: string,
): Promise<{ id: string; text: string }> {
  const minted = given === undefined ? mintKey() : undefined;
  const text = minted?.text ?? given ?? '';
  const rows = await queryable.query<{ id: string }>(
    `insert into api_keys (public_id, secret_hash, prefix, name, kind, role, agent_id, user_id,
       allowed_models, expires_at, rotated_from, fixed_dimensions, required_dimensions,
       allowed_dimensions)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text[], $10, $11, $12, $13, $14) returning id`,
    [
      minted?.publicId ?? GIVEN_KEY_PUBLIC_ID,
      hashKey(text, pepper),
      minted?.prefix ?? 'PURSER_ADMIN_KEY',
      key.name,
      key.kind,
      key.role,
      key.agentId,
      key.userId,
      key.allowedModels,
      key.expiresAtMs === null ? null : new Date(key.expiresAtMs),
      key.rotatedFrom ?? null,
      key.dimensions?.fixed ?? {},
      key.dimensions?.required ?? [],
      key.dimensions?.allowed ?? null,
    ],
  );
  return { id: rows[0]!.id, text };
}
