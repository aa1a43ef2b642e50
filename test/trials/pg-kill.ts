// PostgreSQL, with all its processes, is killed with -9 while it commits what the drain brings:
// half of the kills are aimed at a COMMIT that is under way, the others come at any time. After
// each the rows must be the events, none twice, and the totals and the ledger what the rows say.

import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '#src/drivers/database.js';
import { migrateUp } from '#src/drivers/migrate.js';
import { openPostgres } from '#src/drivers/postgres.js';
import { assertBooksBalance } from '../support/books.js';
import { usageEvents } from '../support/events.js';
import { type Server, startPostgres } from '../support/programs.js';
import { type Seeded, seeded } from '../support/seeded.js';
import { openUpkeep, type Upkeep } from '../support/upkeep.js';
import type { TrialOptions, TrialResult } from './trial.js';

const EVENTS_AT_ONCE = 40;
const KILL_AFTER_MS = { least: 20, most: 200 };
const INTO_COMMIT_US_MOST = 600;

interface Run {
  folder: string;
  random: Seeded;
  written: number;
  /** Kills that met a transaction of which only the COMMIT was missing. */
  inCommit: number;
  /** Of those, the ones whose rows were there afterwards. */
  committed: number;
  duplicates: number;
  /** Of the kill before: rows that the drain had been told of, and whether it met a COMMIT. */
  last: { rowsTold: number; inCommit: boolean };
  violations: string[];
}

export async function runPgKills(options: TrialOptions): Promise<TrialResult> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-trial-'));
  // PostgreSQL's own user has to get through to its data.
  await chmod(folder, 0o711);
  const counts = { written: 0, inCommit: 0, committed: 0, duplicates: 0 };
  const last = { rowsTold: 0, inCommit: false };
  const run: Run = { folder, random: seeded(options.seed), ...counts, last, violations: [] };
  let server = await startPostgres(join(folder, 'postgres'));
  try {
    const first = connect(server);
    await migrateUp({ database: first });
    await first.close();
    for (let round = 1; round <= options.count; round += 1) {
      await killWhileItDrains(run, server, round);
      // On its port, which nobody else may have been given meanwhile.
      server = await startPostgres(join(folder, 'postgres'), [], server.port);
      await checkAfter(run, server, round);
      options.onProgress?.(round);
    }
    return { figures: figuresOf(run, options.count), violations: run.violations };
  } finally {
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

function figuresOf(run: Run, kills: number): TrialResult['figures'] {
  return [
    ['kills of PostgreSQL, each with all its processes', kills],
    ['met a transaction in its COMMIT', run.inCommit],
    ['of those, committed although nobody was told', run.committed],
    ['events', run.written],
    ['rows', run.written],
    ['events that came again and were passed over', run.duplicates],
  ];
}

function connect(server: Server): Database {
  const options = { max: 1, connectTimeoutMs: 10_000, statementTimeoutMs: 30_000 };
  return openPostgres({ url: server.url, ...options });
}

/** A database that tells when only the COMMIT of a transaction is missing, and how it ended. */
function watched(database: Database, commits: { begin(): void; failed(): void }): Database {
  return {
    ...database,
    async transaction(body) {
      let isInCommit = false;
      try {
        return await database.transaction(async (tx) => {
          const answer = await body(tx);
          isInCommit = true;
          commits.begin();
          return answer;
        });
      } catch (error) {
        if (isInCommit) commits.failed();
        throw error;
      }
    },
  };
}

async function killWhileItDrains(run: Run, server: Server, round: number): Promise<void> {
  const { random } = run;
  const database = connect(server);
  const rowsBefore = await countRows(database);
  let isInCommit = false;
  // Counted from the rebuild on, which drains, too.
  let skip = Number.POSITIVE_INFINITY;
  const kill = () => void server.kill();
  const begin = () => {
    skip -= 1;
    if (skip === -1) killAfterUs(random.below(INTO_COMMIT_US_MOST), kill);
  };
  const failed = () => {
    isInCommit = true;
  };
  const upkeep = await openUpkeep(join(run.folder, 'spool'), watched(database, { begin, failed }));
  await upkeep.rebuild();
  if (round % 2 === 0) skip = random.below(6);
  const { least, most } = KILL_AFTER_MS;
  const atAnyTime = round % 2 === 1 ? least + random.below(most - least) : 5_000;
  const timer = setTimeout(kill, atAnyTime);
  const writes: Promise<void>[] = [];
  while (upkeep.drain.state().failures === 0) {
    for (const event of usageEvents(EVENTS_AT_ONCE)) {
      writes.push(upkeep.spool.ended(event, 'fsync'));
    }
    run.written += EVENTS_AT_ONCE;
    await sleep(2);
  }
  clearTimeout(timer);
  await server.kill();
  await Promise.all(writes);
  await upkeep.drain.stop();
  const rowsTold = rowsBefore + upkeep.drain.state().inserted;
  await upkeep.spool.close();
  await database.close();
  if (isInCommit) run.inCommit += 1;
  run.last = { rowsTold, inCommit: isInCommit };
}

// Timers have whole milliseconds, and a COMMIT takes one or two.
function killAfterUs(afterUs: number, kill: () => void): void {
  const atMs = performance.now() + afterUs / 1000;
  const poll = () => {
    if (performance.now() >= atMs) kill();
    else setImmediate(poll);
  };
  poll();
}

async function checkAfter(run: Run, server: Server, round: number): Promise<void> {
  const database = connect(server);
  const rowsFound = await countRows(database);
  const upkeep: Upkeep = await openUpkeep(join(run.folder, 'spool'), database);
  try {
    await upkeep.rebuild();
    run.duplicates += upkeep.drain.state().duplicates;
    if (run.last.inCommit && rowsFound > run.last.rowsTold) run.committed += 1;
    const rows = await countRows(database);
    if (rows !== run.written) {
      run.violations.push(`after kill ${round}: ${run.written} events, ${rows} rows`);
    }
    await assertBooksBalance(database, upkeep.ledger);
  } catch (error) {
    run.violations.push(`after kill ${round}: ${String(error)}`);
  } finally {
    await upkeep.close();
    await database.close();
  }
}

async function countRows(database: Database): Promise<number> {
  const [row] = await database.query<{ rows: number }>('select count(*) as rows from token_usage');
  return row?.rows ?? 0;
}
