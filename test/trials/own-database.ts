// A PostgreSQL of a trial's own, as long as the trial runs.

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPostgres } from '#src/drivers/postgres.js';
import type { FreshDatabase } from '../support/databases.js';
import { startPostgres } from '../support/programs.js';

export async function openOwnDatabase(): Promise<FreshDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-trial-'));
  // PostgreSQL's own user has to get through to its data.
  await chmod(folder, 0o711);
  const server = await startPostgres(join(folder, 'postgres'));
  const timeouts = { connectTimeoutMs: 10_000, statementTimeoutMs: 30_000 };
  const database = openPostgres({ url: server.url, max: 4, ...timeouts });
  return {
    ...{ database, url: server.url },
    async drop() {
      await database.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
