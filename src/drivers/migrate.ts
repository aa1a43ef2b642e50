// Brings a database up or down, one file after another, each in one transaction with its row in
// `schema_migrations` (unless the file says otherwise). Any number of starters may call it at
// once: one works, the others wait and find the work done. What does not fit is refused unchanged.

import { setTimeout as wait } from 'node:timers/promises';
import type { Database, Queryable } from './database.js';
import { sqlState } from './database.js';
import {
  type Migration,
  MigrationError,
  readMigrations,
  type Script,
  SQL_DIR,
} from './migration-files.js';

export interface MigrateOptions {
  database: Database;
  /** Default: the folder `sql` of this installation. */
  sqlDir?: string;
  /** Told before and after each file. */
  onStep?: (step: MigrationStep) => void;
  /** How often the lock is asked for, and how often at most. */
  lock?: { pollMs: number; triesMax: number };
}

export interface MigrationStep {
  version: number;
  name: string;
  direction: 'up' | 'down';
  phase: 'begin' | 'end';
  /** From 1 to `count`. */
  position: number;
  count: number;
}

export interface MigrationState {
  version: number;
  name: string;
  state: 'applied' | 'pending' | 'changed' | 'unknown';
  appliedAt: Date | null;
}

interface AppliedRow {
  version: number;
  name: string;
  checksum: string;
  applied_at: Date;
}

// "PURS" in ASCII: the key of the advisory lock that runners hold.
const LOCK_KEY = 0x50555253;
const LOCK = { pollMs: 100, triesMax: 6000 };
const PREREQUISITE_STATE = 'PU001';

/** Applies what is pending, up to and with version `to`; answers the versions it applied. */
export async function migrateUp(options: MigrateOptions, to?: number): Promise<number[]> {
  const files = await readMigrations(options.sqlDir ?? SQL_DIR);
  const last = target(files, to ?? files.length);
  return locked(options, async (session) => {
    const applied = await readApplied(session);
    check(files, applied);
    const pending = files.slice(applied.length, last);
    return runAll(options, session, pending, 'up');
  });
}

/** Takes away everything above version `to` (0: all); answers the versions it took. */
export async function migrateDown(options: MigrateOptions, to: number): Promise<number[]> {
  const files = await readMigrations(options.sqlDir ?? SQL_DIR);
  const last = target(files, to);
  return locked(options, async (session) => {
    const applied = await readApplied(session);
    check(files, applied);
    return runAll(options, session, files.slice(last, applied.length).reverse(), 'down');
  });
}

/** Every migration of the files and of the database; changes nothing and needs no lock. */
export async function migrationStates(options: MigrateOptions): Promise<MigrationState[]> {
  const files = await readMigrations(options.sqlDir ?? SQL_DIR);
  const applied = await readApplied(options.database);
  const rows = new Map(applied.map((row) => [row.version, row]));
  const states: MigrationState[] = files.map(({ version, name, checksum }) => {
    const row = rows.get(version);
    if (row === undefined) return { version, name, state: 'pending', appliedAt: null };
    const state = row.checksum === checksum ? 'applied' : 'changed';
    return { version, name, state, appliedAt: row.applied_at };
  });
  for (const { version, name, applied_at } of applied) {
    if (version > files.length) {
      states.push({ version, name, state: 'unknown', appliedAt: applied_at });
    }
  }
  return states;
}

function target(files: readonly Migration[], to: number): number {
  if (Number.isInteger(to) && to >= 0 && to <= files.length) return to;
  throw new MigrationError(
    'unknown_target',
    `There is no migration ${to}.`,
    `Name one from 0 (empty) to ${files.length} (newest).`,
  );
}

async function readApplied(queryable: Queryable): Promise<AppliedRow[]> {
  const [table] = await queryable.query<{ found: boolean }>(
    "select to_regclass('schema_migrations') is not null as found",
  );
  if (!table?.found) return [];
  return queryable.query<AppliedRow>(
    'select version, name, checksum, applied_at from schema_migrations order by version',
  );
}

function check(files: readonly Migration[], applied: readonly AppliedRow[]): void {
  const newest = applied.at(-1);
  if (newest !== undefined && newest.version > files.length) {
    throw new MigrationError(
      'database_newer',
      `The database is at migration ${newest.version} (${newest.name}), newer than this ` +
        `version of Purser, which knows ${files.length}.`,
      `Install the version of Purser that made it, or run there: purser migrate down ` +
        `--to ${files.length}`,
    );
  }
  for (const [index, row] of applied.entries()) {
    const file = files[index];
    if (file === undefined || row.version !== file.version) {
      throw new MigrationError(
        'out_of_order',
        `schema_migrations has version ${row.version} where ${index + 1} is due.`,
        'Restore the row that is missing there, or restore the database from a backup.',
      );
    }
    if (row.checksum !== file.checksum) {
      throw new MigrationError(
        'checksum_mismatch',
        `${file.up.file} is not the file that was applied to this database.`,
        'Restore the file from its repository; to change the schema, add a new migration.',
      );
    }
  }
}

async function locked(
  options: MigrateOptions,
  body: (session: Queryable) => Promise<number[]>,
): Promise<number[]> {
  return options.database.session(async (session) => {
    // On PGlite every connection is the same backend and such a lock excludes nobody: there the
    // lock of the data directory has already seen to it that we are alone.
    const shared = options.database.kind === 'postgres';
    if (shared) {
      await takeLock(session, options.lock ?? LOCK);
      await session.run('set statement_timeout = 0');
    }
    try {
      await session.run(`create table if not exists schema_migrations (
        version integer primary key,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default now()
      )`);
      return await body(session);
    } finally {
      if (shared) {
        await session.run(`reset statement_timeout; select pg_advisory_unlock(${LOCK_KEY})`);
      }
    }
  });
}

/** Asks again and again: a lock that blocks deadlocks against CREATE INDEX CONCURRENTLY. */
async function takeLock(
  session: Queryable,
  { pollMs, triesMax }: { pollMs: number; triesMax: number },
): Promise<void> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const [row] = await session.query<{ taken: boolean }>(
      `select pg_try_advisory_lock(${LOCK_KEY}) as taken`,
    );
    if (row?.taken) return;
    await wait(pollMs);
  }
  throw new MigrationError(
    'lock_timeout',
    'Another process has been migrating this database all the time.',
    'See who it is: select pid, query from pg_stat_activity join pg_locks using (pid) ' +
      "where locktype = 'advisory'",
  );
}

async function runAll(
  options: MigrateOptions,
  session: Queryable,
  migrations: readonly Migration[],
  direction: 'up' | 'down',
): Promise<number[]> {
  const count = migrations.length;
  for (const [index, migration] of migrations.entries()) {
    const { version, name } = migration;
    const step = { version, name, direction, position: index + 1, count };
    options.onStep?.({ ...step, phase: 'begin' });
    await runOne(session, migration, direction);
    options.onStep?.({ ...step, phase: 'end' });
  }
  return migrations.map((migration) => migration.version);
}

async function runOne(
  session: Queryable,
  migration: Migration,
  direction: 'up' | 'down',
): Promise<void> {
  const script = migration[direction];
  try {
    if (script.inTransaction) await session.run('begin');
    for (const statement of script.statements) await session.run(statement);
    await note(session, migration, direction);
    if (script.inTransaction) await session.run('commit');
  } catch (error) {
    if (script.inTransaction) await rollBack(session, script, error);
    throw explained(script, error);
  }
}

async function note(session: Queryable, migration: Migration, direction: 'up' | 'down') {
  if (direction === 'down') {
    await session.query('delete from schema_migrations where version = $1', [migration.version]);
    return;
  }
  await session.query(
    'insert into schema_migrations (version, name, checksum) values ($1, $2, $3)',
    [migration.version, migration.name, migration.checksum],
  );
}

async function rollBack(session: Queryable, script: Script, first: unknown): Promise<void> {
  try {
    await session.run('rollback');
  } catch (second) {
    // The connection is gone, and with it the transaction.
    throw explained(script, new AggregateError([first, second], 'the connection was lost'));
  }
}

function explained(script: Script, error: unknown): MigrationError {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof Error && 'hint' in error ? String(error.hint ?? '') : '';
  if (sqlState(error) === PREREQUISITE_STATE) {
    return new MigrationError('prerequisite_missing', `${script.file}: ${message}`, hint, {
      cause: error,
    });
  }
  const unchanged = script.inTransaction ? 'Nothing of this file was kept. ' : '';
  return new MigrationError(
    'migration_failed',
    `${script.file} failed: ${message}`,
    `${unchanged}${hint || 'Mend the cause, then run: purser migrate up'}`,
    { cause: error },
  );
}
