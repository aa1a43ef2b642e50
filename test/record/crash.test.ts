// What is left after kill -9: of the process that writes the spool, and of PostgreSQL under the
// recorder. For a call whose client saw the end there is its row, and no row is there twice.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, inject, test } from 'vitest';
import { migrateUp } from '#src/drivers/migrate.js';
import type { SpoolLog } from '#src/stores/spool-log.js';
import { assertBooksBalance } from '../support/books.js';
import { connectPostgres, eachDatabase, warmPglite } from '../support/databases.js';
import { usageEvent, usageEvents } from '../support/events.js';
import { startPostgres } from '../support/programs.js';
import { openUpkeep } from '../support/upkeep.js';
import { runPgKills } from '../trials/pg-kill.js';

beforeAll(warmPglite, 120_000);

/** More of them by `TRIAL_CYCLES`; PostgreSQL's own are the trial `pg-kill`. */
const CYCLES = Number(process.env.TRIAL_CYCLES ?? 5);

async function withFolder<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-test-'));
  try {
    return await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the writer until it has told so many lines; what it told. */
async function writeUntilKilled(folder: string, linesMax: number): Promise<string[]> {
  const script = join(import.meta.dirname, '../support/spool-writer.mjs');
  const child = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    text += chunk;
    if (text.split('\n').length > linesMax) child.kill('SIGKILL');
  });
  await once(child, 'close');
  expect(child.signalCode).toBe('SIGKILL');
  return text.split('\n').filter((line) => /^(sent|ended) \S{36}( \d+)?$/.test(line));
}

eachDatabase(
  'a writer killed at any point loses no call whose client saw a byte',
  async ({ database }) => {
    await withFolder(async (folder) => {
      const sent = new Set<string>();
      const ended = new Map<string, number>();
      const abandoned: SpoolLog[] = [];
      for (let cycle = 0; cycle < CYCLES; cycle += 1) {
        for (const line of await writeUntilKilled(folder, 100 + cycle * 379)) {
          const [what, id = '', cost] = line.split(' ');
          if (what === 'sent') sent.add(id);
          else ended.set(id, Number(cost));
        }
        const upkeep = await openUpkeep(folder, database);
        const report = await upkeep.rebuild();
        expect(report.epoch).toBe(cycle + 1);
        expect(report.orphans).toBeLessThanOrEqual(20);
        await assertBooksBalance(database, upkeep.ledger);
        // Every other time it dies itself, with its marks unwritten.
        if (cycle % 2 === 0) await upkeep.close();
        else await upkeep.drain.stop().then(() => abandoned.push(upkeep.spool));
      }
      const rows = await database.query<{ id: string; cost: number; source: string }>(
        `select reservation_id as id, (cost_usd * 1e9)::bigint as cost, usage_source as source
         from token_usage`,
      );
      const costs = new Map(rows.map(({ id, cost }) => [id, cost]));
      expect(rows).toHaveLength(costs.size);
      for (const [id, cost] of ended) expect([id, costs.get(id)]).toEqual([id, cost]);
      // Who had only been sent is charged the prompt or what was seen, unless it was released.
      for (const id of sent) {
        if (!ended.has(id) && costs.has(id)) expect(costs.get(id)).toBeGreaterThanOrEqual(10);
      }
      for (const spool of abandoned) await spool.close();
    });
  },
  { timeoutMs: 60_000 + CYCLES * 10_000 },
);

test(
  'PostgreSQL killed while it commits loses no event and records none twice',
  async () => {
    const { violations } = await runPgKills({ count: CYCLES, seed: 1 });
    expect(violations).toEqual([]);
  },
  60_000 + CYCLES * 20_000,
);

test('SQL that is away holds nobody up, and is caught up with when it is back', async () => {
  await withFolder(async (folder) => {
    const data = join(inject('runFolder'), `away-${process.pid}`);
    let server = await startPostgres(data);
    const { port } = server;
    const database = connectPostgres(server.url);
    await migrateUp({ database });
    const upkeep = await openUpkeep(join(folder, 'spool'), database);
    await upkeep.rebuild();
    await upkeep.spool.ended(usageEvent(), 'fsync');
    await upkeep.drain.idle();
    await server.stop();
    let written = 1;
    while (upkeep.drain.state().failures < 3) {
      await Promise.all(usageEvents(50).map((event) => upkeep.spool.ended(event, 'fsync')));
      written += 50;
    }
    expect(upkeep.drain.state().pendingEvents).toBeGreaterThanOrEqual(written - 1);
    expect(upkeep.spool.state().full).toBe(false);
    server = await startPostgres(data, [], port);
    await upkeep.drain.idle();
    expect(upkeep.drain.state()).toMatchObject({ failures: 0, pendingEvents: 0 });
    const [row] = await database.query<{ count: number }>('select count(*) from token_usage');
    expect(row?.count).toBe(written);
    await assertBooksBalance(database);
    const told = upkeep.log.lines.map(({ level, message }) => `${level}: ${message}`);
    expect(told).toContain('warn: the drain cannot reach SQL');
    expect(told).toContain('info: the drain is back');
    await upkeep.close();
    await database.close();
    await server.stop();
    await rm(data, { recursive: true, force: true });
  });
}, 60_000);
