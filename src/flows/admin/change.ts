// Every change that a person or a file makes goes through here: the rows, the line in the audit
// log and (by triggers) the new `config_version` are one transaction, and when it is over the
// directory of this process is read anew, so that the change is in force before it is answered.

import type { Clock } from '../../core/clock.js';
import type { AdminRole } from '../../core/directory.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import { type Database, type Queryable, sqlState } from '../../drivers/database.js';
import type { Directory } from '../../stores/directory.js';
import { claimOnce, type Once, underWay } from './once.js';

export interface AdminDeps {
  database: Database;
  clock: Clock;
  log: Log;
  directory: Pick<Directory, 'refresh'>;
}

/** Who changes something. */
export interface Actor {
  kind: 'admin_key' | 'file' | 'system';
  id: string | null;
  via: 'api' | 'cli' | 'file' | 'start';
  /** Only an owner touches the keys of admins. */
  role: AdminRole;
  requestId?: string;
  /** What keeps a request that is asked twice from being done twice. */
  once?: Once;
}

export interface AuditEntry {
  action: string;
  entity: string;
  entityId: string;
  before?: object | undefined;
  after?: object | undefined;
  reason?: string;
}

class Rollback extends Error {
  override name = 'Rollback';
  constructor(readonly refused: Refused) {
    super(refused.refused.message);
  }
}

/** Commits what `body` did, with its audit lines; a refusal that it hands back undoes all of it. */
export async function change<T>(
  deps: AdminDeps,
  actor: Actor,
  body: (tx: Queryable, audit: (entry: AuditEntry) => Promise<void>) => Promise<T | Refused>,
): Promise<T | Refused> {
  let done: T;
  try {
    done = await deps.database.transaction(async (tx) => {
      if (actor.once && !(await claimOnce(tx, actor.once))) throw new Rollback(underWay());
      const result = await body(tx, (entry) => writeAudit(tx, actor, entry));
      if (isRefused(result)) throw new Rollback(result);
      return result;
    });
  } catch (error) {
    if (error instanceof Rollback) return error.refused;
    const refused = refusalOf(error);
    if (refused) return refused;
    throw error;
  }
  // It is committed: if it cannot be read back now, the next poll will, and nobody does it twice.
  await deps.directory.refresh().catch((error: unknown) => {
    deps.log.error({ error }, 'a change is committed but could not be read back at once');
  });
  return done;
}

async function writeAudit(tx: Queryable, actor: Actor, entry: AuditEntry): Promise<void> {
  await tx.query(
    `insert into audit_log (actor_kind, actor_id, via, action, entity, entity_id, before, after,
       request_id, reason) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      actor.kind,
      actor.id,
      actor.via,
      entry.action,
      entry.entity,
      entry.entityId,
      entry.before ?? null,
      entry.after ?? null,
      actor.requestId ?? null,
      entry.reason ?? null,
    ],
  );
}

// What the schema refuses is the caller's mistake, told without the database's own words.
function refusalOf(error: unknown): Refused | undefined {
  switch (sqlState(error)) {
    case '23505':
      return refuse('already_exists', 'There is one with this name already.');
    case '23503':
      return refuse('invalid_value', 'It names something that does not exist.');
    case '23514':
    case '23502':
    case '22001':
    case '22003':
    case '22P05':
      return refuse('invalid_value', 'The values do not fit the rules of this entity.');
    default:
      return undefined;
  }
}

export function managedByFile(what: string): Refused {
  return refuse(
    'managed_by_file',
    `The ${what} is named in the configuration file: change it there and restart.`,
  );
}

export function notFound(what: string): Refused {
  return refuse('not_found', `There is no such ${what}.`);
}
