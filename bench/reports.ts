// Scenario: a month by agent out of a million rows on PostgreSQL, the report beside a plain GROUP BY
// of the same rows, whose answer must be the same.

import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realClock } from '#src/drivers/clock.js';
import type { Database } from '#src/drivers/database.js';
import { migrateUp } from '#src/drivers/migrate.js';
import { openPostgres } from '#src/drivers/postgres.js';
import { groupOf } from '#src/flows/admin/usage-dimensions.js';
import { reportUsage, type UsageReport } from '#src/flows/admin/usage-report.js';
import { startPostgres } from '../test/support/programs.js';
import { insertWho } from '../test/support/usage.js';
import { insertAgents, insertUsage } from '../test/support/usage-rows.js';
import { cpuUs, median } from './support/processes.js';

const MONTH = { since: '2026-10-15T10:20:30Z', until: '2026-11-14T10:20:30Z' };
const INSERT_ROWS = 20_000;
const ROUNDS = 9;

/** What a month by agent of a million rows may take. */
export const REPORT_MS_MAX = 200;

export interface ReportsResult {
  reportMs: number;
  plainMs: number;
  /** Of the server's process, a report. */
  cpuMs: number;
  rows: number;
}

export async function reports(
  options: { rows: number },
  told: (text: string) => void,
): Promise<ReportsResult> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'));
  // PostgreSQL's own user must be able to reach its folder in it.
  chmodSync(folder, 0o711);
  const server = await startPostgres(join(folder, 'postgres'), ['-c', 'fsync=off']);
  const database = openPostgres({
    ...{ url: server.url, max: 1, connectTimeoutMs: 10_000, statementTimeoutMs: 0 },
  });
  try {
    await migrateUp({ database });
    await database.query("select make_token_usage_partitions('2026-10-01', 3)");
    await insertWho(database);
    await insertAgents(database);
    for (let from = 1; from <= options.rows; from += INSERT_ROWS) {
      await insertUsage(database, from, Math.min(INSERT_ROWS, options.rows - from + 1));
      told(`reports: ${Math.min(options.rows, from + INSERT_ROWS - 1)} of ${options.rows} rows`);
    }
    await database.run('vacuum analyze');
    return await compared(database);
  } finally {
    await database.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function compared(database: Database): Promise<ReportsResult> {
  const made = async () => {
    const groups = [groupOf('agent')].filter((group) => group !== undefined);
    const request = { ...MONTH, groups, filters: {}, tags: {} };
    return (await reportUsage({ database, clock: realClock }, request)) as UsageReport;
  };
  const plain = () =>
    database.query<{ agent_id: string | null; rows: number; cost_usd: string }>(
      `select agent_id, count(*) as rows, sum(cost_usd)::text as cost_usd from token_usage
       where timestamp >= '${MONTH.since}' and timestamp < '${MONTH.until}' group by 1`,
    );
  const line = (row: { agent_id?: unknown; rows?: unknown; cost_usd?: unknown }) =>
    `${row.agent_id} ${row.rows} ${row.cost_usd}`;
  const report = await made();
  const [left, right] = [report.data.map(line).sort(), (await plain()).map(line).sort()];
  if (left.join('\n') !== right.join('\n')) throw new Error('the report is not the plain sum');
  const [server] = await database.query<{ pid: number }>('select pg_backend_pid() as pid');
  const before = cpuUs(server?.pid ?? 0);
  const reportMs = await medianMs(made);
  const cpuMs = (cpuUs(server?.pid ?? 0) - before) / 1000 / ROUNDS;
  return { reportMs, cpuMs, plainMs: await medianMs(plain), rows: report.total.rows };
}

async function medianMs(once: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedMs = performance.now();
    await once();
    times.push(performance.now() - startedMs);
  }
  return median(times);
}

export function showReports({ reportMs, plainMs, cpuMs, rows }: ReportsResult): boolean {
  process.stdout.write(
    `reports: a month by agent, ${rows} rows: ${reportMs.toFixed(1)} ms ` +
      `(${cpuMs.toFixed(1)} ms CPU), plain GROUP BY ${plainMs.toFixed(1)} ms\n`,
  );
  if (reportMs <= REPORT_MS_MAX) return true;
  process.stdout.write(`reports: above ${REPORT_MS_MAX} ms\n`);
  return false;
}
