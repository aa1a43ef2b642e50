// What a gateway does with its spool once the ledger was lost: its rows say in the end what its
// calls came to, whatever the ledger that was lost has booked of them on the way.

import { expect, test } from 'vitest';
import type { UsageEvent } from '#src/core/usage-event.js';
import { createRebuilder, type LosableLedger } from '#src/flows/upkeep/rebuild-redis.js';
import type { Gateways } from '#src/stores/gateways.js';
import type { DrainBatch, DrainSource } from '#src/stores/spool.js';
import type { UsageStore } from '#src/stores/usage/usage.js';
import { LINES, usageEvent } from '../../support/events.js';
import { testLog } from '../../support/log.js';
import { manualClock } from '../../support/manual-clock.js';

const EPOCH = 55;
const halves = LINES.map((line) => ({ ...line, a: Math.floor(line.a / 2) }));

function setup(events: readonly UsageEvent[]) {
  const clock = manualClock(0);
  const kept = [...events];
  const rows: { id: string; kind: string; outcome: string; lines: UsageEvent['lines'] }[] = [];
  const world = { outbox: 0, sealedEpoch: EPOCH - 1, rows, kept, clock };
  const record = async (batch: readonly UsageEvent[]) => {
    const isThere = ({ id, kind }: UsageEvent) =>
      rows.some((row) => row.id === id && row.kind === kind);
    const fresh = batch.filter((event) => !isThere(event));
    for (const { id, kind, lines, reading } of fresh) {
      rows.push({ id, kind, lines, outcome: reading ? 'completed' : 'reaped' });
    }
    return { inserted: fresh.length, duplicates: batch.length - fresh.length, setAside: 0 };
  };
  const rebuilder = createRebuilder({
    spool: {
      next: async (most: number) => ({ events: kept.slice(0, most) }),
      drained: (batch: DrainBatch) => void kept.splice(0, batch.events.length),
    } as unknown as DrainSource,
    ledger: {
      outliveRestart: async () => {},
      witness: () => {},
      state: async () => ({ open: false, epoch: EPOCH, seq: 9, timeMs: 0, held: 0 }),
    } as unknown as LosableLedger,
    usage: {
      watermark: async () => ({ epoch: EPOCH, seq: 0 }),
      sealedEpoch: async () => world.sealedEpoch,
      rows: async (id: string) => rows.filter((row) => row.id === id),
    } as unknown as UsageStore,
    // Another one holds the lock.
    gateways: {
      seen: async () => {},
      furthest: async () => 0,
      exclusively: async () => false,
    } as unknown as Gateways,
    ...{ recorder: { record }, outboxDepth: async () => world.outbox, holds: () => [] },
    ...{ clock, log: testLog(), owner: 'gateway-0', host: 'here' },
    ...{ leaseMs: 1, everyMs: 1, rateKeptMs: 1 },
  });
  return { ...world, world, record, rebuilder };
}

const sumOf = (rows: readonly { lines: UsageEvent['lines'] }[]) =>
  LINES.map((_line, i) => rows.reduce((sum, { lines }) => sum + lines[i]!.a, 0));
const WHOLE = LINES.map(({ a }) => a);

test('a call that was finalized and then reaped by a ledger that forgot it comes to its own', async () => {
  const event = usageEvent({ epoch: 54 });
  const other = usageEvent({ epoch: 54 });
  const { rows, kept, record, rebuilder } = setup([event, other]);
  const { reading: _reading, ...cut } = event;
  await record([{ ...cut, lines: halves }]);
  await rebuilder.look();
  expect(sumOf(rows.filter(({ id }) => id === event.id))).toEqual(WHOLE);
  expect(rows.filter(({ id }) => id === other.id)).toHaveLength(1);
  expect(kept).toEqual([]);
});

test('the spool waits for the outbox, so that nothing is booked whole beside its halves', async () => {
  const { id, stub, ...rest } = usageEvent({ epoch: 54 });
  const actual = { nano_usd: LINES[0]!.a, requests: LINES[1]!.a, tokens: LINES[2]!.a };
  const rests = LINES.map((line, i) => ({ ...line, a: line.a - halves[i]!.a }));
  const late: UsageEvent = {
    ...{ ...rest, id, stub, kind: 'late', lines: rests },
    actual: { ...actual, concurrency: 0 },
  };
  const { rows, kept, clock, world, record, rebuilder } = setup([late]);
  world.outbox = 2;
  const looked = rebuilder.look();
  await new Promise(setImmediate);
  const { reading: _reading, ...cut } = { ...late, kind: 'base', lines: halves } as const;
  await record([cut, late]);
  world.outbox = 0;
  clock.advance(1_000);
  await looked;
  expect(rows.map(({ kind }) => kind)).toEqual(['base', 'late']);
  expect(sumOf(rows)).toEqual(WHOLE);
  expect(kept).toEqual([]);
});

test('a gateway that comes when the totals are read leaves what it has to the custody', async () => {
  const event = usageEvent({ epoch: 54 });
  const { rows, kept, world, rebuilder } = setup([event]);
  world.sealedEpoch = EPOCH;
  await rebuilder.look();
  expect(rows).toEqual([]);
  expect(kept).toEqual([event]);
});
