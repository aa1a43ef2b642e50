// The first start makes what a gateway cannot do without: the user `admin`, a project, the first
// agent's key and an admin key. Plain keys are handed back only by the start that made them;
// later ones find everything in place.

import { isRefused, OperatorError } from '../../core/errors.js';
import type { Queryable } from '../../drivers/database.js';
import { hashKey, sameHash } from '../../rules/keys/api-key.js';
import { GIVEN_KEY_PUBLIC_ID, insertKey, type NewKey } from '../../stores/api-keys.js';
import { applyConfig, type ConfiguredRows } from './apply-config.js';
import { type Actor, type AuditEntry, change } from './change.js';
import type { KeyDeps } from './keys.js';
import type { Applied } from './put.js';
import { ensureTiers } from './tiers.js';
import { UNUSABLE_PASSWORD } from './users.js';

export interface BootstrapOptions {
  rows: ConfiguredRows;
  /** PURSER_ADMIN_KEY, taken as it is; without it one is made. */
  adminKey: string | null;
}

export interface Bootstrapped {
  applied: Applied;
  /** Only from the start that made it. */
  agentKey?: { agent: string; text: string };
  /** Only from the start that made it; never the one that was given. */
  adminKey?: string;
}

const ADMIN_KEY_LENGTH_MIN = 24;
const MARK = 'bootstrap';
const ACTOR: Actor = { kind: 'system', id: null, via: 'start', role: 'owner' };
const DEMO = { name: 'demo', description: null, githubRepo: null };

interface Mark {
  agent_key?: string;
  admin_key?: string;
}

export async function bootstrap(deps: KeyDeps, options: BootstrapOptions): Promise<Bootstrapped> {
  const { adminKey, rows } = options;
  if (adminKey !== null && adminKey.length < ADMIN_KEY_LENGTH_MIN) {
    throw new OperatorError(
      `PURSER_ADMIN_KEY has ${adminKey.length} characters; at least 24 are needed.`,
      'Make one with: openssl rand -hex 24',
    );
  }
  await ensureTiers(deps.database);
  const ownerId = await ensureAdmin(deps);
  const projects = rows.projects.length > 0 ? rows.projects : [DEMO];
  const applied = await applyConfig(deps, { ...rows, projects }, ownerId);
  const made = await change(deps, ACTOR, async (tx, audit) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('purser.bootstrap'))`);
    const mark = await readMark(tx);
    const agent = mark.agent_key === undefined ? await firstAgent(tx, rows) : undefined;
    const agentKey = agent && (await makeKey(tx, deps, agentKeyOf(agent)));
    const needsAdmin = adminKey === null && mark.admin_key === undefined;
    const admin = needsAdmin ? await makeKey(tx, deps, adminKeyOf(ownerId)) : undefined;
    await keepGivenKey(tx, deps, adminKey, ownerId, audit);
    for (const key of [agentKey, admin]) {
      if (key) await audit({ action: 'create', entity: 'key', entityId: key.id });
    }
    if (agentKey || admin) {
      await writeMark(tx, {
        ...mark,
        ...(agentKey && { agent_key: agentKey.id }),
        ...(admin && { admin_key: admin.id }),
      });
    }
    return { agent, agentKey, admin };
  });
  if (isRefused(made)) throw new OperatorError(made.refused.message, 'Look at the database.');
  const { agent, agentKey, admin } = made;
  return {
    applied,
    ...(agent && agentKey && { agentKey: { agent: agent.name, text: agentKey.text } }),
    ...(admin && { adminKey: admin.text }),
  };
}

async function ensureAdmin(deps: KeyDeps): Promise<string> {
  await deps.database.query(
    `insert into users (username, email, password_hash, is_admin)
     values ('admin', 'admin@localhost', $1, true) on conflict do nothing`,
    [UNUSABLE_PASSWORD],
  );
  const rows = await deps.database.query<{ id: string }>(
    `select id from users where username = 'admin' or is_admin
     order by username = 'admin' desc, created_at limit 1`,
  );
  const id = rows[0]?.id;
  if (id !== undefined) return id;
  throw new OperatorError(
    'The user admin cannot be made: admin@localhost belongs to another user.',
    'Give that user another address, or make one user is_admin.',
  );
}

async function firstAgent(tx: Queryable, rows: ConfiguredRows) {
  const wanted = rows.agents[0];
  if (!wanted) return undefined;
  const found = await tx.query<{ id: string; name: string }>(
    `select agents.id, agents.name from agents left join projects on projects.id = project_id
     where agents.name = $1 and projects.name is not distinct from $2`,
    [wanted.name, wanted.project],
  );
  return found[0];
}

function makeKey(tx: Queryable, deps: KeyDeps, key: NewKey) {
  return insertKey(tx, deps.pepper, key);
}

const PLAIN = { allowedModels: null, expiresAtMs: null };

function agentKeyOf(agent: { id: string; name: string }): NewKey {
  const name = `${agent.name} (first start)`;
  return { ...PLAIN, name, kind: 'agent', role: null, agentId: agent.id, userId: null };
}

function adminKeyOf(userId: string): NewKey {
  const name = 'admin (first start)';
  return { ...PLAIN, name, kind: 'admin', role: 'owner', agentId: null, userId };
}

// The key that the operator gave is good while it is given: another one replaces it, none
// disables it.
async function keepGivenKey(
  tx: Queryable,
  deps: KeyDeps,
  given: string | null,
  userId: string,
  audit: (entry: AuditEntry) => Promise<void>,
): Promise<void> {
  const rows = await tx.query<{ id: string; hash: Buffer; enabled: boolean }>(
    `select id, secret_hash as hash, disabled_at is null and revoked_at is null as enabled
     from api_keys where public_id = $1`,
    [GIVEN_KEY_PUBLIC_ID],
  );
  const row = rows[0];
  if (given === null) {
    if (!row?.enabled) return;
    await tx.query('update api_keys set disabled_at = now() where id = $1', [row.id]);
    await audit({ action: 'disable', entity: 'key', entityId: row.id, reason: 'no longer given' });
    return;
  }
  if (!row) {
    const key: NewKey = { ...adminKeyOf(userId), name: 'PURSER_ADMIN_KEY' };
    const { id } = await insertKey(tx, deps.pepper, key, given);
    await audit({ action: 'create', entity: 'key', entityId: id });
    return;
  }
  const hash = hashKey(given, deps.pepper);
  if (row.enabled && sameHash(row.hash, hash)) return;
  await tx.query(
    `update api_keys set secret_hash = $2, disabled_at = null, revoked_at = null where id = $1`,
    [row.id, hash],
  );
  await audit({ action: 'update', entity: 'key', entityId: row.id, reason: 'another was given' });
}

async function readMark(tx: Queryable): Promise<Mark> {
  const rows = await tx.query<{ value: Mark }>('select value from settings where key = $1', [MARK]);
  return rows[0]?.value ?? {};
}

async function writeMark(tx: Queryable, mark: Mark): Promise<void> {
  await tx.query(
    `insert into settings (key, value) values ($1, $2)
     on conflict (key) do update set value = excluded.value`,
    [MARK, mark],
  );
}
