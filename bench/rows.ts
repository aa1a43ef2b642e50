// Scenario: usage rows per second into SQL by one recorder, with every key and index on: turns,
// metrics, usage rows with lines and foreign keys, totals and the watermark in one transaction.
// Beside it `\copy` of the same usage rows into a table without keys, on the same PostgreSQL.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { UsageEvent } from '#src/core/usage-event.js';
import { realClock } from '#src/drivers/clock.js';
import type { Database } from '#src/drivers/database.js';
import { migrateUp } from '#src/drivers/migrate.js';
import { openPglite } from '#src/drivers/pglite.js';
import { openPostgres } from '#src/drivers/postgres.js';
import { AttributionBook } from '#src/stores/usage/attribution.js';
import { recordEvents } from '#src/stores/usage/record.js';
import { LINES, STUB, usageEvents } from '../test/support/events.js';
import { startPostgres } from '../test/support/programs.js';
import { insertWho, WHO } from '../test/support/usage.js';
import { type Arriving, rowsArriving } from './rows-arriving.js';
import { cpuUs as cpuUsOf } from './support/processes.js';

export interface RowsVariant {
  variant: 'postgres' | 'pglite' | '\\copy';
  rowsPerSecond: number;
  /** Of the gateway's own process (PGlite lives in it); 0 where it does nothing. */
  cpuUsPerRow: number;
  /** Of PostgreSQL's process that serves the recorder: what bounds it. */
  serverCpuUsPerRow: number;
}

export interface RowsResult {
  variants: RowsVariant[];
  arriving: Arriving[];
  /** The recorder on PostgreSQL over `\copy`. */
  ratio: number;
}

/** The queue must empty while calls arrive at this rate. */
export const ROWS_PER_SECOND_FLOOR = 2000;

// An empty queue is one that a batch or two empties.
const EMPTY_AFTER_MS_MOST = 2000;

export async function usageRows(
  options: { rows: number; batch: number; seconds: number },
  told: (text: string) => void,
): Promise<RowsResult> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'));
  // PostgreSQL's own user must be able to reach its folder in it.
  chmodSync(folder, 0o711);
  const server = await startPostgres(join(folder, 'postgres'));
  const pglite = await openPglite({ at: { dir: join(folder, 'pglite') } });
  const postgres = openPostgres({
    ...{ url: server.url, max: 1, connectTimeoutMs: 10_000, statementTimeoutMs: 0 },
  });
  try {
    const variants: RowsVariant[] = [];
    for (const database of [postgres, pglite.database]) {
      told(`usage rows: ${options.rows} into ${database.kind}`);
      variants.push(await recorded(database, options));
    }
    const arriving: Arriving[] = [];
    const rate = { perSecond: ROWS_PER_SECOND_FLOOR, seconds: options.seconds };
    for (const database of [postgres, pglite.database]) {
      told(`usage rows: ${rate.perSecond} arrive a second, ${rate.seconds} s, ${database.kind}`);
      const spool = join(folder, `spool-${database.kind}`);
      arriving.push(await rowsArriving(database, spool, events, rate));
    }
    told('usage rows: the same by \\copy into a bare table');
    variants.push(copied(server.url, folder, options.rows));
    const rateOf = (name: string) =>
      variants.find(({ variant }) => variant === name)?.rowsPerSecond ?? 0;
    return { variants, arriving, ratio: rateOf('postgres') / rateOf('\\copy') };
  } finally {
    await postgres.close();
    await pglite.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function recorded(
  database: Database,
  { rows, batch }: { rows: number; batch: number },
): Promise<RowsVariant> {
  await migrateUp({ database });
  await database.query("select make_token_usage_partitions('2026-11-01', 1)");
  await insertWho(database);
  const book = new AttributionBook({ clock: realClock, entriesMax: 1000, keptMs: 60_000 });
  await recordEvents(database, book, events(batch));
  const serverCpuUs = await serverCpu(database);
  const serverBeforeUs = serverCpuUs();
  let written = 0;
  let elapsedMs = 0;
  let cpuUs = 0;
  while (written < rows) {
    const next = events(batch);
    const cpu = process.cpuUsage();
    const startedMs = performance.now();
    const { inserted } = await recordEvents(database, book, next);
    elapsedMs += performance.now() - startedMs;
    const { user, system } = process.cpuUsage(cpu);
    cpuUs += user + system;
    written += inserted;
  }
  return {
    variant: database.kind,
    rowsPerSecond: (written / elapsedMs) * 1000,
    cpuUsPerRow: cpuUs / written,
    serverCpuUsPerRow: (serverCpuUs() - serverBeforeUs) / written,
  };
}

async function serverCpu(database: Database): Promise<() => number> {
  if (database.kind === 'pglite') return () => 0;
  const [row] = await database.query<{ pid: number }>('select pg_backend_pid() as pid');
  return () => cpuUsOf(row?.pid ?? 0);
}

function events(count: number): UsageEvent[] {
  const attribution = {
    userId: WHO.user,
    agentId: WHO.agent,
    agentName: 'coder-1',
    agentType: 'coder',
    projectId: WHO.project,
    conversation: 'conv-1',
    task: 'task-1',
  };
  const tokens = { e: `tokens:${WHO.agent}`, l: 'ever', u: 'tokens' as const, a: 175, o: 0 };
  return usageEvents(count, { stub: { ...STUB, attribution }, lines: [...LINES, tokens] });
}

function copied(url: string, folder: string, rows: number): RowsVariant {
  const psql = (...commands: string[]) =>
    execFileSync('psql', ['-q', url, ...commands.flatMap((text) => ['-c', text])]);
  const file = join(folder, 'rows.tsv');
  psql(
    `\\copy (select * from token_usage limit ${rows}) to '${file}'`,
    'create table bare as select * from token_usage with no data',
  );
  const connected = performance.now();
  psql('select 1');
  const startedMs = performance.now();
  psql(`\\copy bare from '${file}'`);
  // Less what it takes to start psql and to connect.
  const elapsedMs = performance.now() - startedMs - (startedMs - connected);
  return {
    variant: '\\copy',
    rowsPerSecond: (rows / elapsedMs) * 1000,
    cpuUsPerRow: 0,
    serverCpuUsPerRow: 0,
  };
}

/** Shows the figures; false where the queue would not empty. */
export function showRows({ variants, arriving, ratio }: RowsResult): boolean {
  console.table(
    variants.map(({ variant, rowsPerSecond, cpuUsPerRow, serverCpuUsPerRow }) => ({
      variant,
      'rows/s': Math.round(rowsPerSecond),
      'CPU µs/row': Math.round(cpuUsPerRow),
      'server CPU µs/row': Math.round(serverCpuUsPerRow),
    })),
  );
  process.stdout.write(`usage rows: recorder / \\copy = ${ratio.toFixed(3)}\n`);
  console.table(
    arriving.map(({ variant, eventsPerSecond, waitingMost, emptyAfterMs }) => ({
      variant,
      'events/s': Math.round(eventsPerSecond),
      'most waiting': waitingMost,
      'empty after ms': Math.round(emptyAfterMs),
    })),
  );
  const late = arriving.filter(({ emptyAfterMs }) => emptyAfterMs > EMPTY_AFTER_MS_MOST);
  for (const { variant } of late) {
    process.stdout.write(
      `usage rows: the queue into ${variant} did not empty at ${ROWS_PER_SECOND_FLOOR} a second\n`,
    );
  }
  return late.length === 0;
}
