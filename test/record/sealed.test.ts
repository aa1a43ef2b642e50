// Rows that come too late for a rebuild of the ledger. Once the totals of an epoch are read, what
// was taken out of a spool or an outbox before that is not recorded any more: it would be in the
// rows and in no counter. It is booked again instead, and rows and ledger say the same.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { uuidV7 } from '#src/core/id.js';
import { realClock as clock } from '#src/drivers/clock.js';
import type { Database } from '#src/drivers/database.js';
import { openRedis, type Redis } from '#src/drivers/redis.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { createCustody } from '#src/flows/upkeep/custody.js';
import { createDrain } from '#src/flows/upkeep/drain.js';
import { createOutboxSource } from '#src/flows/upkeep/outbox-source.js';
import { createRebuilder } from '#src/flows/upkeep/rebuild-redis.js';
import { createGateways, type Gateways } from '#src/stores/gateways.js';
import { createLeases } from '#src/stores/ledger/leases.js';
import { createOutbox } from '#src/stores/ledger/outbox.js';
import { createRedisLedger } from '#src/stores/ledger/redis-ledger.js';
import { createUsageStore } from '#src/stores/usage/usage.js';
import { connectPostgres, type FreshDatabase, freshPostgres } from '../support/databases.js';
import { amounts, reading, STUB, sentRecord } from '../support/events.js';
import { testLog } from '../support/log.js';
import { type Server, startRedis } from '../support/programs.js';
import { openTestSpool } from '../support/upkeep.js';
import { testRecorder } from '../support/usage.js';

const LEASE_MS = 300;
const ACTUAL = amounts({ nano_usd: 4_000, tokens: 30, requests: 1 });

let server: Server;
let redis: Redis;
let fresh: FreshDatabase;

beforeAll(async () => {
  server = await startRedis(join(inject('runFolder'), 'sealed-redis'));
  const timing = { commandTimeoutMs: 2_000, probeEveryMs: 20 };
  redis = openRedis({ urls: [server.url], clock, ...timing });
  await redis.ready(10_000);
  fresh = await freshPostgres({ max: 8 });
}, 60_000);

afterAll(async () => {
  await redis.close();
  await server.stop();
  await fresh.drop();
});

/** One gateway's parts of the record, moved by hand. */
async function openParts(owner: string, gateways: Partial<Gateways> = {}) {
  const { database } = fresh;
  const [log, recorder, usage] = [testLog(), testRecorder(database), createUsageStore(database)];
  const ledger = createRedisLedger({ redis, scripts: loadScripts(), clock });
  const spool = await openTestSpool(join(inject('runFolder'), 'sealed', owner));
  const outbox = createOutbox(redis, ledger.keys);
  const source = createOutboxSource({
    ...{ outbox, leases: createLeases(redis, loadScripts(), ledger.keys), clock, pollMs: 5 },
    ...{ leaseMs: 5_000, sealedEpoch: usage.sealedEpoch, onTrouble: () => {} },
  });
  const drain = createDrain({
    ...{ spool: source, recorder, clock, log, batchMax: 500, retryMinMs: 5, retryMaxMs: 20 },
  });
  const base = { ledger, usage, clock, log, everyMs: 10_000, spool };
  const rebuilder = createRebuilder({
    ...{ ...base, recorder, owner, host: 'here', leaseMs: LEASE_MS, rateKeptMs: 3_600_000 },
    ...{ gateways: { ...createGateways(database), ...gateways }, holds: () => [] },
    outboxDepth: async () => (await outbox.depth()).events,
  });
  const custody = createCustody({ ...base, formerEvents: 0 });
  return { owner, ledger, spool, source, outbox, drain, rebuilder, custody, recorder, usage };
}

type Parts = Awaited<ReturnType<typeof openParts>>;

/** A call that has reached its provider. */
async function begin({ ledger, owner, spool }: Parts) {
  const id = uuidV7(ledger.nowMs());
  const record = sentRecord(id);
  const { lines, stub, floor } = record;
  const reserved = await ledger.reserve({ id, owner, lines, leaseMs: LEASE_MS, stub });
  expect(reserved.answer).toBe('RESERVED');
  await spool.sent(record);
  const beats = [{ id, seen: amounts({}), sent: { floor } }];
  await ledger.beat({ owner, leaseMs: LEASE_MS, beats });
  return id;
}

async function finish({ ledger, spool }: Parts, id: string) {
  const told = { id, stub: STUB, reading: reading({ costNanoUsd: ACTUAL.nano_usd }) };
  const reply = await ledger.finalize({ id, actual: ACTUAL, event: told });
  expect(reply.answer).toBe('FINALIZED');
  await spool.ended(reply.event!, 'written');
}

/** As another connection of this database would: nothing is inserted until it lets go. */
async function withoutRows(body: (letGo: () => void) => Promise<void>): Promise<void> {
  const other = connectPostgres(fresh.url!);
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let begun = () => {};
  const locked = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const holding = other.transaction(async (tx) => {
    await tx.query('lock table token_usage in share row exclusive mode');
    begun();
    await held;
  });
  try {
    await locked;
    await body(letGo);
  } finally {
    letGo();
    await holding;
    await other.close();
  }
}

async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    if (await what()) return;
    await sleep(10);
  }
  throw new Error('it never came to that');
}

const isWaiting = (database: Database) => async (): Promise<boolean> => {
  const rows = await database.query('select 1 from pg_locks where not granted');
  return rows.length > 0;
};

async function rowsOf(id: string): Promise<number> {
  return (await createUsageStore(fresh.database).rows(id)).length;
}

async function expectBooksAlike({ ledger }: Parts): Promise<void> {
  const totals = await fresh.database.query<{ envelope: string; label: string; sum: number }>(
    'select envelope_id as envelope, label, committed as sum from envelope_totals order by 1, 2',
  );
  const balances = await ledger.balances(totals as never);
  expect(balances.map(({ committed }) => committed)).toEqual(totals.map(({ sum }) => sum));
}

test('a spool that is drained too late for a rebuild is booked again, not only recorded', async () => {
  const first = await openParts('first-a');
  const slow = await openParts('slow-a', { exclusively: async () => false });
  await first.rebuilder.look();
  await slow.rebuilder.look();
  const id = await begin(slow);
  await finish(slow, id);
  await redis.command('flushall');
  await slow.rebuilder.look();
  await withoutRows(async (letGo) => {
    const rebuilt = first.rebuilder.look();
    await until(
      async () => !(await slow.ledger.state()).open && (await slow.ledger.state()).epoch > 0,
    );
    const late = slow.rebuilder.look().catch((error: Error) => error);
    await until(isWaiting(fresh.database));
    await rebuilt;
    letGo();
    await late;
  });
  first.drain.start();
  await until(async () => {
    await slow.custody.round();
    return slow.spool.state().pendingEvents === 0;
  });
  expect(await rowsOf(id)).toBe(1);
  await expectBooksAlike(first);
  await first.drain.stop();
  await first.source.close();
  await Promise.all([first, slow].map(({ spool }) => spool.close()));
});

test('what was read from an outbox that is lost is not recorded beside totals without it', async () => {
  const first = await openParts('first-b');
  await first.rebuilder.look();
  const id = await begin(first);
  await until(async () => (await first.ledger.overdue(1)).length > 0);
  await first.ledger.reap([id]);
  // Its gateway is on its way into SQL with it when Redis is gone, and comes there after a rebuild.
  const batch = await first.source.next(500);
  expect(batch.events.map((event) => event.id)).toEqual([id]);
  await redis.command('flushall');
  await first.rebuilder.look();
  await expect(first.recorder.record(batch.events, batch.sealedEpoch)).rejects.toThrow('sealed');
  expect(await rowsOf(id)).toBe(0);
  await expectBooksAlike(first);
  await first.spool.close();
});
