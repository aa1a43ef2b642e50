// A request that was asked twice is done once. Its key is claimed in the transaction of its change,
// so that a change that stands has its claim; the answer follows, sealed with the caller's own key
// because it may hold a new one. What was refused changed nothing, and may be asked again.

import { type Refused, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Queryable } from '../../drivers/database.js';
import { seal, unseal } from '../../rules/keys/sealed.js';

/** One request: who asks, under which key of their choice, and a digest of what is asked. */
export interface Once {
  actorId: string;
  key: string;
  hash: Buffer;
}

export interface OnceAnswer {
  status: number;
  /** JSON. */
  text: string;
}

const KEPT = `interval '24 hours'`;

/** False: another request has it. Undone with the transaction. */
export async function claimOnce(tx: Queryable, { actorId, key, hash }: Once): Promise<boolean> {
  await tx.query(`delete from idempotency_keys where created_at < now() - ${KEPT}`);
  const rows = await tx.query(
    `insert into idempotency_keys (actor_id, key, request_hash) values ($1, $2, $3)
     on conflict (actor_id, key) do nothing returning key`,
    [actorId, key, hash],
  );
  return rows.length > 0;
}

/** What it was answered before; undefined: it was not asked yet. */
export async function answeredOnce(
  database: Queryable,
  { actorId, key, hash }: Once,
  secret: string,
): Promise<OnceAnswer | Refused | undefined> {
  const rows = await database.query<{
    hash: Buffer;
    status: number | null;
    answer: Buffer | null;
  }>(
    `select request_hash as hash, status, answer from idempotency_keys
     where actor_id = $1 and key = $2 and created_at >= now() - ${KEPT}`,
    [actorId, key],
  );
  const [row] = rows;
  if (!row) return undefined;
  if (!row.hash.equals(hash)) {
    return refuse('idempotency_key_reused', 'This Idempotency-Key was used for another request.');
  }
  const text = row.answer === null ? undefined : unseal(row.answer, secret);
  return row.status === null || text === undefined ? underWay() : { status: row.status, text };
}

export async function keepAnswer(
  deps: { database: Queryable; log: Log },
  { actorId, key }: Once,
  secret: string,
  { status, text }: OnceAnswer,
): Promise<void> {
  try {
    await deps.database.query(
      'update idempotency_keys set status = $3, answer = $4 where actor_id = $1 and key = $2',
      [actorId, key, status, seal(text, secret)],
    );
  } catch (error) {
    deps.log.error({ error }, 'the answer to a request with an Idempotency-Key was not kept');
  }
}

export function underWay(): Refused {
  return refuse(
    'idempotency_in_progress',
    'A request with this Idempotency-Key is under way, or was done and its answer is lost.',
  );
}
