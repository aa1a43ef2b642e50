// Databases for tests: a fresh one each, migrated or empty, on the real PostgreSQL and on PGlite.
// Copies of a template (PostgreSQL) and of an image (PGlite) keep that cheap.

import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, inject, test } from 'vitest';
import type { Database } from '#src/drivers/database.js';
import { migrateUp } from '#src/drivers/migrate.js';
import { openPglite, type Pglite } from '#src/drivers/pglite.js';
import { openPostgres } from '#src/drivers/postgres.js';
import { databasePrefix } from './services.js';

export interface FreshDatabase {
  database: Database;
  /** Of a PostgreSQL database, for further connections. */
  url?: string;
  /** Closes it and takes it away. */
  drop(): Promise<void>;
}

export interface FreshOptions {
  /** Not migrated. */
  empty?: boolean;
  /** Connections at most; PGlite has one. */
  max?: number;
}

export const KINDS = ['postgres', 'pglite'] as const;

/** The same test on both databases, each time on a fresh one. */
export function eachDatabase(
  name: string,
  body: (fresh: FreshDatabase) => Promise<void>,
  options: FreshOptions & { timeoutMs?: number } = {},
): void {
  for (const kind of KINDS) {
    test(
      `${name} (${kind})`,
      async () => {
        const fresh = await freshDatabase(kind, options);
        try {
          await body(fresh);
        } finally {
          await fresh.drop();
        }
      },
      options.timeoutMs ?? 30_000,
    );
  }
}

export function freshDatabase(
  kind: (typeof KINDS)[number],
  options: FreshOptions = {},
): Promise<FreshDatabase> {
  return kind === 'postgres' ? freshPostgres(options) : freshPglite(options);
}

export function connectPostgres(url: string, max = 4): Database {
  return openPostgres({ url, max, connectTimeoutMs: 10_000, statementTimeoutMs: 30_000 });
}

export async function freshPostgres(options: FreshOptions = {}): Promise<FreshDatabase> {
  const prefix = databasePrefix(inject('runFolder'));
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  const admin = connectPostgres(inject('postgresUrl'), 1);
  const template = options.empty ? 'template0' : await migratedTemplate(admin, prefix);
  await admin.run(`create database ${name} template ${template}`);
  const url = databaseUrl(name);
  const database = connectPostgres(url, options.max);
  return {
    database,
    url,
    async drop() {
      await database.close();
      await admin.run(`drop database if exists ${name} with (force)`);
      await admin.close();
    },
  };
}

/** Made once a run by whichever test file comes first; the others wait at the lock. */
async function migratedTemplate(admin: Database, prefix: string): Promise<string> {
  const name = `${prefix}_template`;
  return admin.session(async (session) => {
    await session.run(`select pg_advisory_lock(hashtext('${name}'))`);
    const found = await session.query('select 1 from pg_database where datname = $1', [name]);
    if (found.length === 0) {
      const making = `${prefix}_making`;
      await session.run(`drop database if exists ${making} with (force)`);
      await session.run(`create database ${making} template template0`);
      const database = connectPostgres(databaseUrl(making), 1);
      await migrateUp({ database });
      await database.close();
      await session.run(`alter database ${making} rename to ${name}`);
    }
    await session.run(`select pg_advisory_unlock(hashtext('${name}'))`);
    return name;
  });
}

function databaseUrl(name: string): string {
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  return url.href;
}

// One worker serves the tests of a file one after another; each finds it as if new.
let idle: Pglite | undefined;

export async function freshPglite(options: FreshOptions = {}): Promise<FreshDatabase> {
  const reused = idle;
  idle = undefined;
  const pglite = reused ?? (await openPglite({ at: 'memory', image: await pgliteImage() }));
  const { database } = pglite;
  if (reused !== undefined || options.empty) {
    await database.run('drop schema public cascade; create schema public');
    if (!options.empty) await migrateUp({ database });
  }
  return {
    database,
    async drop() {
      await database.run('rollback; reset all');
      if (idle === undefined) idle = pglite;
      else await pglite.close();
    },
  };
}

/** Opens the first one ahead of the tests: on a busy machine that alone can take half a minute. */
export async function warmPglite(): Promise<void> {
  const fresh = await freshPglite();
  await fresh.drop();
}

/** A migrated data directory: making one anew takes five times as long as unpacking it. */
export async function pgliteImage(): Promise<Uint8Array> {
  const file = join(inject('runFolder'), 'pglite.tar');
  const made = await readFile(file).catch(() => undefined);
  if (made !== undefined) return made;
  const pglite = await openPglite({ at: 'memory' });
  await migrateUp({ database: pglite.database });
  const image = await pglite.image();
  await pglite.close();
  const own = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(own, image);
  await rename(own, file);
  return image;
}

afterAll(async () => {
  await idle?.close();
  idle = undefined;
});
