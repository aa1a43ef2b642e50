// Opens the rows: PostgreSQL where an address is given, else PGlite under the data directory,
// which is locked first. Either is migrated before anybody uses it.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.js';
import { OperatorError } from './core/errors.js';
import type { Database } from './drivers/database.js';
import { lockDirectory } from './drivers/directory-lock.js';
import { type MigrationStep, migrateUp } from './drivers/migrate.js';
import { openPglite } from './drivers/pglite.js';
import { openPostgres } from './drivers/postgres.js';
import { allowUnchecked } from './stores/usage/insert.js';

export interface OpenRows {
  database: Database;
  /** What people read: `PGlite in ./data`, `PostgreSQL at db.example`. */
  described: string;
  close(): Promise<void>;
}

const POSTGRES_CONNECTIONS_MAX = 8;
const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 60_000;

/**
 * Locks the data directory and opens the database without migrating it. `meanwhile` is called
 * while it boots, which PGlite does in a thread of its own: to block the loop costs nothing then.
 */
export async function openRows(config: Config, meanwhile?: () => void): Promise<OpenRows> {
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory({ dir: config.dataDir, owner: `pid ${process.pid}` });
  try {
    const opening = config.databaseUrl === null ? embedded(config) : postgres(config);
    meanwhile?.();
    const opened = await opening;
    return {
      ...opened,
      async close() {
        await opened.close();
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

export async function migrate(database: Database, onStep: (step: MigrationStep) => void) {
  const steps = await migrateUp({ database, onStep });
  await allowUnchecked(database);
  return steps;
}

async function embedded(config: Config): Promise<OpenRows> {
  const dir = join(config.dataDir, 'pglite');
  const { database, close } = await openPglite({ at: { dir }, background: true });
  return { database, described: `PGlite in ${dir}`, close };
}

async function postgres(config: Config): Promise<OpenRows> {
  const url = config.databaseUrl ?? '';
  const database = openPostgres({
    url,
    max: POSTGRES_CONNECTIONS_MAX,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  const { host, pathname } = new URL(url);
  const described = `PostgreSQL at ${host}${pathname}`;
  try {
    await database.query('select 1');
  } catch (cause) {
    await database.close();
    throw new OperatorError(
      `${described} does not answer: ${cause instanceof Error ? cause.message : cause}.`,
      'Start it, correct DATABASE_URL, or unset it for the embedded database.',
      { cause },
    );
  }
  return { database, described, close: () => database.close() };
}
