// The proof with faults: servers of its own, one run, and what it came to.

import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { migrateUp } from '#src/drivers/migrate.js';
import { openPostgres } from '#src/drivers/postgres.js';
import { countsTable } from '../model/prove-histories.js';
import { startPostgres } from '../support/programs.js';
import { type FaultRunOptions, runFaults } from './run.js';

const CONNECTIONS_MAX = 16;

export async function proveFaults(options: Omit<FaultRunOptions, 'database'>): Promise<string[]> {
  // PostgreSQL's own user has to get through to its data.
  chmodSync(options.folder, 0o711);
  const postgres = await startPostgres(join(options.folder, 'postgres'), ['-c', 'fsync=off']);
  const database = openPostgres({
    ...{ url: postgres.url, max: CONNECTIONS_MAX },
    ...{ connectTimeoutMs: 10_000, statementTimeoutMs: 30_000 },
  });
  try {
    await migrateUp({ database });
    const { counts, faults, figures } = await runFaults({ ...options, database });
    return [
      '32 clients on 4 gateways whose clocks are off by up to a day, leases of 200 ms. Every call',
      'whose client saw the end has its row, rows and ledger say the same: 0 violations.',
      '',
      '| what | figure |',
      '|---|---:|',
      ...[...faults].map(([name, count]) => `| fault: ${name} | ${count} |`),
      ...figures.map(([name, value]) => `| ${name} | ${value} |`),
      '',
      ...countsTable(counts),
    ];
  } finally {
    await database.close();
    await postgres.stop();
  }
}
