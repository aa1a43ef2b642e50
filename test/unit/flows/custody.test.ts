// What keeps an event in the spool: a watermark that passed it counts only for a ledger that is
// whole, and not at all for what a former run of the gateway did.

import { expect, test } from 'vitest';
import type { UsageEvent } from '#src/core/usage-event.js';
import { createCustody } from '#src/flows/upkeep/custody.js';
import type { AdjustRequest, Ledger } from '#src/stores/ledger/ledger.js';
import type { DrainSource } from '#src/stores/spool.js';
import type { Watermark } from '#src/stores/usage/totals.js';
import type { UsageStore } from '#src/stores/usage/usage.js';
import { usageEvents } from '../../support/events.js';
import { testLog } from '../../support/log.js';
import { manualClock } from '../../support/manual-clock.js';

const EPOCH = 54;

function setup(formerEvents: number) {
  const events = usageEvents(3).map((event, i) => ({ ...event, epoch: EPOCH, seq: 100 + i }));
  const kept: UsageEvent[] = [...events];
  const world = {
    mark: { epoch: EPOCH, seq: 0 } as Watermark,
    isOpen: true,
    /** What happens to Redis while SQL is asked how far it is. */
    meanwhile: () => {},
    rows: new Set<string>(),
    adjusted: [] as string[],
  };
  const spool: DrainSource = {
    next: async (most) => ({ events: kept.slice(0, most) }),
    drained: (batch) => void kept.splice(0, batch.events.length),
    onEvent: () => {},
    state: () => ({ pendingEvents: kept.length, pendingBytes: 0, full: false }),
  };
  const ledger = {
    state: async () => ({ open: world.isOpen, epoch: EPOCH, seq: 500, timeMs: 0, held: 0 }),
    adjust: async ({ id }: AdjustRequest) => {
      world.adjusted.push(id);
      return { answer: 'ADJUSTED', event: { epoch: EPOCH, seq: 501 } };
    },
  };
  const usage = {
    watermark: async () => {
      world.meanwhile();
      return world.mark;
    },
    rows: async (id: string) =>
      world.rows.has(id) ? [{ kind: 'base', outcome: 'completed' }] : [],
  };
  const custody = createCustody({
    ...{ spool, ledger: ledger as unknown as Ledger, usage: usage as unknown as UsageStore },
    ...{ clock: manualClock(0), log: testLog(), everyMs: 1, formerEvents },
  });
  return { events, kept, world, custody };
}

test('an event stays until the watermark has passed it', async () => {
  const { events, kept, world, custody } = setup(0);
  world.mark = { epoch: EPOCH, seq: 101 };
  await custody.round();
  expect(kept).toEqual(events.slice(2));
  world.mark = { epoch: EPOCH + 1, seq: 0 };
  await custody.round();
  expect(kept).toEqual(events.slice(2));
});

test('a watermark that others reached after the ledger was rolled back lets go of nothing', async () => {
  const { events, kept, world, custody } = setup(0);
  world.meanwhile = () => {
    world.mark = { epoch: EPOCH, seq: 300 };
    world.isOpen = false;
  };
  await custody.round();
  expect(kept).toEqual(events);
});

test('what a former run did is let go of only where its row is, and else booked again', async () => {
  const { events, kept, world, custody } = setup(2);
  const [first, second] = events as [UsageEvent, UsageEvent];
  world.rows.add(first.id);
  await custody.round();
  expect([kept, world.adjusted]).toEqual([events, []]);
  world.mark = { epoch: EPOCH, seq: 300 };
  await custody.round();
  expect([kept, world.adjusted]).toEqual([events.slice(1), [second.id]]);
  world.mark = { epoch: EPOCH, seq: 501 };
  await custody.round();
  expect([kept, world.adjusted]).toEqual([[], [second.id]]);
});
