// What runs beside the calls: beats, the reaper, the rebuild, reconcile and retention.

import { beforeAll, expect, test } from 'vitest';
import { NOTHING } from '#src/core/amount.js';
import type { DirectorySnapshot } from '#src/core/directory.js';
import { uuidV7 } from '#src/core/id.js';
import { realClock } from '#src/drivers/clock.js';
import { createBeat } from '#src/flows/upkeep/beat.js';
import { createReaper } from '#src/flows/upkeep/reap.js';
import { createReconciler } from '#src/flows/upkeep/reconcile.js';
import { createRetention } from '#src/flows/upkeep/retention.js';
import { tellDrift } from '#src/flows/upkeep/tell-drift.js';
import type { Ledger } from '#src/stores/ledger/ledger.js';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { createUsageStore } from '#src/stores/usage/usage.js';
import { assertBooksBalance } from '../support/books.js';
import { eachDatabase, warmPglite } from '../support/databases.js';
import { amounts, LINES, STUB, sentRecord, usageEvent, usageEvents } from '../support/events.js';
import { testLog } from '../support/log.js';
import { fakeFiles } from '../support/log-files.js';
import { manualClock } from '../support/manual-clock.js';
import { openTestSpool, openUpkeep, type Upkeep } from '../support/upkeep.js';
import { insertWho, testRecorder, WHO } from '../support/usage.js';

beforeAll(warmPglite, 120_000);

const NOW_MS = Date.UTC(2026, 10, 21, 9, 41);
const LEASE_MS = 2000;
const PROJECT = '00000000-0000-4000-8000-000000000002';

function reserveLine(amount: number, envelope = 'limit:global') {
  const line = { envelope, label: '2026-11', unit: 'nano_usd' as const, amount };
  return { ...line, limit: 1_000_000, mode: 'block' as const, version: 1 };
}

async function hold(ledger: Ledger, id: string, amount = 1000, sent = true): Promise<void> {
  const stub = JSON.stringify({ ...STUB, attribution: { projectId: PROJECT } });
  const lines = [reserveLine(amount)];
  const reply = await ledger.reserve({ id, owner: 'me', lines, leaseMs: LEASE_MS, stub });
  expect(reply.answer).toBe('RESERVED');
  if (!sent) return;
  const floor = amounts({ nano_usd: 10 });
  const beats = [{ id, seen: NOTHING, sent: { floor } }];
  await ledger.beat({ owner: 'me', leaseMs: LEASE_MS, beats });
}

async function beatSetup(count: number) {
  const clock = manualClock(NOW_MS);
  const ledger = createMemoryLedger({ clock });
  const files = fakeFiles();
  const spool = await openTestSpool(files, { clock });
  const log = testLog();
  const beat = createBeat({
    ...{ ledger, spool, clock, log, owner: 'me', beatMs: 200, leaseMs: LEASE_MS },
  });
  const aborted: string[] = [];
  const ids = Array.from({ length: count }, (_, i) => uuidV7(NOW_MS + i));
  for (const id of ids) {
    await hold(ledger, id);
    const seen = () => amounts({ nano_usd: 77 });
    beat.add({ id, seen, abort: (ending) => aborted.push(`${id} ${ending}`) });
  }
  return { clock, ledger, files, spool, beat, ids, aborted };
}

test('a beating call keeps its lease, however many there are', async () => {
  const { clock, ledger, beat, aborted } = await beatSetup(150);
  for (let round = 0; round < 20; round += 1) {
    clock.advance(LEASE_MS - 1);
    await beat.beat();
  }
  expect(await ledger.overdue(1000)).toEqual([]);
  expect(aborted).toEqual([]);
  const { holds } = await ledger.holds({ offset: 0, limit: 1 });
  expect(holds[0]?.seen.nano_usd).toBe(77);
});

test('a call whose reservation is gone is aborted once, and the others go on', async () => {
  const { clock, ledger, beat, ids, aborted } = await beatSetup(3);
  clock.advance(LEASE_MS);
  await ledger.reap([ids[1]!]);
  await beat.beat();
  await beat.beat();
  expect(aborted).toEqual([`${ids[1]} reaped`]);
  expect(beat.size()).toBe(2);
});

test('the spool learns the spend seen although the ledger cannot answer', async () => {
  const { ledger, files, spool, beat, ids } = await beatSetup(1);
  await spool.sent(sentRecord(ids[0]!));
  ledger.beat = () => Promise.reject(new Error('away'));
  await expect(beat.beat()).rejects.toThrow('away');
  await spool.close();
  const { orphans } = (await openTestSpool(files)).recover();
  expect(orphans.map(({ seen }) => seen.nano_usd)).toEqual([77]);
});

async function reaperSetup() {
  const clock = manualClock(NOW_MS);
  const ledger = createMemoryLedger({ clock });
  const spool = await openTestSpool(fakeFiles(), { clock });
  const log = testLog();
  const reaper = createReaper({ ledger, spool, clock, log, tickMs: 200 });
  return { clock, ledger, spool, log, reaper };
}

test('a dead owner loses its holds after the lease, at the spend seen, all in one sweep', async () => {
  const { clock, ledger, spool, log, reaper } = await reaperSetup();
  for (let i = 0; i < 200; i += 1) await hold(ledger, uuidV7(NOW_MS + i), 1000, i % 2 === 0);
  clock.advance(LEASE_MS - 1);
  expect(await reaper.sweep()).toEqual({ reaped: 0, reclaimed: NOTHING });
  clock.advance(1);
  const result = await reaper.sweep();
  expect(result).toEqual({ reaped: 200, reclaimed: amounts({ nano_usd: 100 * 990 + 100 * 1000 }) });
  expect((await ledger.state()).held).toBe(0);
  // Only what was sent is charged, and only that has an event.
  expect(spool.state().pendingEvents).toBe(100);
  const { events } = await spool.next(1);
  expect(events[0]).toMatchObject({ kind: 'base', stub: { attribution: { projectId: PROJECT } } });
  expect(log.lines).toEqual([
    {
      level: 'info',
      fields: { projectId: PROJECT, ...result },
      message: 'overdue reservations were reaped',
    },
  ]);
});

test('a sweep that reclaims nothing is told quietly', async () => {
  const { clock, ledger, log, reaper } = await reaperSetup();
  await hold(ledger, uuidV7(NOW_MS), 10);
  clock.advance(LEASE_MS);
  expect((await reaper.sweep()).reclaimed).toEqual(NOTHING);
  expect(log.lines.map(({ level }) => level)).toEqual(['debug']);
});

test('an event that the spool refused is written with the next sweep', async () => {
  const { clock, ledger, spool, reaper } = await reaperSetup();
  await hold(ledger, uuidV7(NOW_MS));
  clock.advance(LEASE_MS);
  const ended = spool.ended.bind(spool);
  spool.ended = () => Promise.reject(new Error('full'));
  await expect(reaper.sweep()).rejects.toThrow('full');
  spool.ended = ended;
  await reaper.sweep();
  expect(spool.state().pendingEvents).toBe(1);
});

async function settle(upkeep: Upkeep, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const id = uuidV7(NOW_MS + i);
    await hold(upkeep.ledger, id, 500);
    await upkeep.spool.sent(sentRecord(id, { lines: [reserveLine(500)] }));
    const { lines, kind, seq, epoch, atMs, ...event } = usageEvent({ id });
    const reply = await upkeep.ledger.finalize({ id, actual: amounts({ nano_usd: 300 }), event });
    await upkeep.spool.ended(reply.event!, 'fsync');
  }
}

eachDatabase('after a restart the ledger has what the rows have', async ({ database }) => {
  const files = fakeFiles();
  const clock = manualClock(NOW_MS);
  const first = await openUpkeep(files, database, clock);
  expect(await first.rebuild()).toEqual({ orphans: 0, replayedEvents: 0, totals: 0, epoch: 1 });
  await settle(first, 20);
  const cut = uuidV7(NOW_MS + 100);
  await hold(first.ledger, cut, 500);
  const floor = amounts({ nano_usd: 10, concurrency: 1 });
  await first.spool.sent(sentRecord(cut, { lines: [reserveLine(500)], floor }));
  first.spool.seen([{ id: cut, seen: amounts({ nano_usd: 44 }) }]);
  // It is killed here, before or after the drain: nothing is closed in order.
  await first.drain.stop();
  await first.spool.close();

  const second = await openUpkeep(files, database, clock);
  const report = await second.rebuild();
  expect(report).toMatchObject({ orphans: 1, totals: 1, epoch: 2 });
  await assertBooksBalance(database, second.ledger);
  const [balance] = await second.ledger.balances([reserveLine(0)]);
  expect(balance).toMatchObject({ committed: 20 * 300 + 44, reserved: 0, overrun: 0 });
  expect(await second.usage.row(cut)).toMatchObject({ outcome: 'reaped', costNanoUsd: 44 });
  expect((await second.ledger.state()).open).toBe(true);
  await second.close();

  const third = await openUpkeep(files, database, clock);
  expect(await third.rebuild()).toMatchObject({ orphans: 0, epoch: 3 });
  await assertBooksBalance(database, third.ledger);
  await third.close();
});

/** What is of nobody that a directory knows is told to every admin. */
const UNKNOWN: DirectorySnapshot = {
  version: 1,
  keysByPublicId: new Map(),
  projects: new Map(),
  agents: new Map(),
  limits: [],
  tokenBudgetsByAgent: new Map(),
};

eachDatabase(
  'reconcile tells of drift, of nothing else, and mirrors holds',
  async ({ database }) => {
    await insertWho(database);
    await database.run(
      `insert into budgets (agent_id, allocated_tokens) values ('${WHO.agent}', 100)`,
    );
    const clock = manualClock(NOW_MS);
    const upkeep = await openUpkeep(fakeFiles(), database, clock);
    await upkeep.rebuild();
    await settle(upkeep, 5);
    await upkeep.drain.idle();
    const { ledger, usage, drain, log } = upkeep;
    const stub = JSON.stringify(STUB);
    const line = {
      ...reserveLine(70, `tokens:${WHO.agent}`),
      label: 'ever',
      unit: 'tokens' as const,
    };
    const id = uuidV7(NOW_MS + 500);
    await ledger.reserve({ id, owner: 'me', lines: [line], leaseMs: LEASE_MS, stub });
    await database.run('update users set is_admin = true');
    const directory = { snapshot: () => UNKNOWN };
    const reconciler = createReconciler({
      ...{ ledger, usage, log, clock: realClock },
      waiting: async () => drain.state().pendingEvents,
      ...{ everyMs: 10_000, windowMs: 600_000, totalsMax: 100 },
      tell: tellDrift({ database, directory, ledger }),
    });
    const calm = { drifts: [], comparedHolds: true, comparedTotals: true };
    expect(await reconciler.round()).toEqual(calm);
    const [budget] = await database.query('select used_tokens, reserved_tokens from budgets');
    expect(budget).toEqual({ used_tokens: 0, reserved_tokens: 70 });
    await database.run('update envelope_totals set committed = committed + 1, updated_at = now()');
    const { drifts } = await reconciler.round();
    expect(drifts).toEqual([
      {
        ...{ envelope: 'limit:global', label: '2026-11', unit: 'nano_usd', counter: 'committed' },
        ...{ ledger: 1500, expected: 1501 },
      },
    ]);
    expect(reconciler.drift()).toBe(1);
    const told = () => database.query('select type, severity, title from notifications');
    expect(await told(), 'it may be gone by the next round').toEqual([]);
    await reconciler.round();
    await reconciler.round();
    const title = 'limit:global drifts: committed';
    expect(await told()).toEqual([{ type: 'ledger.drift', severity: 'critical', title }]);
    expect(await database.query('select type from outbox')).toEqual([{ type: 'ledger.drift' }]);
    await upkeep.close();
  },
);

eachDatabase(
  'retention makes months ahead, takes old ones off, trims turns and totals of old minutes',
  async ({ database }) => {
    const usage = createUsageStore(database);
    const clock = manualClock(NOW_MS);
    const old = Date.UTC(2026, 6, 15);
    await usage.makePartitions(old, 1);
    const oldEvent = usageEvent({ id: uuidV7(old) });
    const recorder = testRecorder(database);
    await recorder.record([oldEvent, ...usageEvents(7, { lines: LINES })]);
    await database.run("update turns set created_at = now() - interval '40 days'");
    await database.run(`
      insert into envelope_totals (envelope_id, label, unit, updated_at) values
        ('limit:a', '2026-11-17T09:41', 'requests', '2026-11-18T09:41Z'),
        ('limit:a', '2026-11-17T09', 'requests', '2026-11-18T09:41Z'),
        ('limit:a', '2026-11-17T03+02:00', 'tokens', '2026-11-18T09:41Z'),
        ('limit:a', '2026-11-16T09', 'requests', '2026-11-21T09:00Z'),
        ('limit:a', '2026-11-18T00:41', 'requests', '2026-11-18T09:41Z'),
        ('limit:a', '2026-11-17', 'requests', '2026-11-17T09:41Z'),
        ('limit:a', 'ever', 'requests', '2026-11-17T09:41Z')`);
    const retention = createRetention({
      rateTotalsKeptMs: 2 * 86_400_000,
      ...{ usage, clock, log: testLog(), everyMs: 1000, monthsAhead: 2, usageMonthsKept: 3 },
      // Turns are as old as the database says.
      ...{ turnsKeptMs: NOW_MS - Date.now() + 30 * 86_400_000, batchMax: 3, batchesMax: 2 },
    });
    const result = await retention.round();
    expect(result).toEqual({
      made: 3,
      detached: ['token_usage_2026_07'],
      trimmed: 6,
      rateTotals: 3,
    });
    const [left] = await database.query(
      `select (select count(*) from token_usage) as usage, (select count(*) from turns) as turns,
       (select count(*) from turn_metrics) as metrics,
       (select count(*) from token_usage_2026_07) as detached`,
    );
    expect(left).toEqual({ usage: 7, turns: 2, metrics: 2, detached: 1 });
    const labels = await database.query(
      "select label from envelope_totals where envelope_id = 'limit:a' order by 1",
    );
    expect(labels.map(({ label }) => label)).toEqual([
      ...['2026-11-16T09', '2026-11-17', '2026-11-18T00:41', 'ever'],
    ]);
    expect(await retention.round()).toEqual({ made: 0, detached: [], trimmed: 2, rateTotals: 0 });
  },
);
