// Before the tests: a real Redis and a real PostgreSQL, from REDIS_URL and TEST_DATABASE_URL where
// they are set, else started here; their addresses come to tests by `inject`. After the tests:
// what was started here is ended, and databases that the run made elsewhere are dropped.

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openPostgres } from '#src/drivers/postgres.js';
import { type Server, startPostgres, startRedis } from './programs.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A Redis that all tests share: use keys of your own, or `startRedis` where you break it. */
    redisUrl: string;
    /** A PostgreSQL in which tests make databases of their own (see `databases.ts`). */
    postgresUrl: string;
    /** A folder for this run, removed after it. */
    runFolder: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-test-'));
  // PostgreSQL's own user has to get through to its data.
  await chmod(folder, 0o711);
  const redisUrl = process.env.REDIS_URL;
  const postgresUrl = process.env.TEST_DATABASE_URL;
  const [redis, postgres] = await Promise.all([
    redisUrl ? undefined : startRedis(join(folder, 'redis')),
    postgresUrl ? undefined : startPostgres(join(folder, 'postgres'), ['-c', 'fsync=off']),
  ]);
  project.provide('redisUrl', redisUrl || url(redis));
  project.provide('postgresUrl', postgresUrl || url(postgres));
  project.provide('runFolder', folder);
  return async () => {
    if (postgresUrl) await dropDatabases(postgresUrl, folder);
    await Promise.all([redis?.stop(), postgres?.stop()]);
    await rm(folder, { recursive: true, force: true });
  };
}

/** What names of databases of this run begin with. */
export function databasePrefix(runFolder: string): string {
  return basename(runFolder)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '_');
}

async function dropDatabases(postgresUrl: string, folder: string): Promise<void> {
  const database = openPostgres({
    url: postgresUrl,
    max: 1,
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 0,
  });
  const rows = await database.query<{ name: string }>(
    'select datname as name from pg_database where starts_with(datname, $1)',
    [databasePrefix(folder)],
  );
  for (const { name } of rows) await database.run(`drop database if exists ${name} with (force)`);
  await database.close();
}

function url(server: Server | undefined): string {
  if (server === undefined) throw new Error('A server was neither named nor started.');
  return server.url;
}
