// How the drain makes room for calls: batches grow, a busy loop is left alone, and whoever waits
// for rows does not wait for the pace.

import { expect, test } from 'vitest';
import type { UsageEvent } from '#src/core/usage-event.js';
import { createDrain } from '#src/flows/upkeep/drain.js';
import type { DrainSource } from '#src/stores/spool.js';
import { SealedSince } from '#src/stores/usage/record.js';
import { usageEvents } from '../../support/events.js';
import { testLog } from '../../support/log.js';
import { manualClock } from '../../support/manual-clock.js';

const PACE = { lingerMs: 50, busyEveryMs: 250, backlogBytesMax: 1000 };

function setup(state: { busy: boolean; eventBytes: number }) {
  const clock = manualClock(0);
  const queue: UsageEvent[] = [];
  const batches: number[] = [];
  const asked: (number | undefined)[] = [];
  const seal = { epoch: undefined as number | undefined };
  let wake = () => {};
  const spool: DrainSource = {
    next: async (most) => ({
      events: queue.slice(0, most),
      ...(seal.epoch !== undefined && { sealedEpoch: seal.epoch }),
    }),
    drained: ({ events }) => void queue.splice(0, events.length),
    onEvent(callback) {
      wake = callback;
    },
    state: () => ({
      pendingEvents: queue.length,
      pendingBytes: queue.length * state.eventBytes,
      full: false,
    }),
  };
  const recorder = {
    async record(events: readonly UsageEvent[], sealedEpoch?: number) {
      asked.push(sealedEpoch);
      if (sealedEpoch === 1) {
        seal.epoch = 2;
        throw new SealedSince('2 is sealed by now');
      }
      batches.push(events.length);
      return { inserted: events.length, duplicates: 0, setAside: 0 };
    },
  };
  const log = testLog();
  const pace = { ...PACE, isBusy: () => state.busy };
  const retry = { retryMinMs: 1, retryMaxMs: 1 };
  const drain = createDrain({ spool, recorder, clock, log, batchMax: 4, pace, ...retry });
  const put = (count: number): void => {
    queue.push(...usageEvents(count));
    wake();
  };
  drain.start();
  return { clock, drain, put, batches, asked, seal, log };
}

/** Lets everything that is ready happen. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('events of one moment become one batch', async () => {
  const { clock, put, batches } = setup({ busy: false, eventBytes: 1 });
  await settled();
  put(1);
  await settled();
  put(1);
  await settled();
  expect(batches).toEqual([]);
  clock.advance(PACE.lingerMs);
  await settled();
  expect(batches).toEqual([2]);
});

test('a full batch waits for nothing', async () => {
  const { put, batches } = setup({ busy: false, eventBytes: 1 });
  await settled();
  put(8);
  await settled();
  expect(batches).toEqual([4, 4]);
});

test('while the loop is busy one batch goes in a while', async () => {
  const { clock, put, batches } = setup({ busy: true, eventBytes: 1 });
  await settled();
  put(12);
  await settled();
  clock.advance(PACE.busyEveryMs);
  await settled();
  expect(batches).toEqual([4]);
  clock.advance(PACE.busyEveryMs);
  await settled();
  expect(batches).toEqual([4, 4]);
});

test('a backlog that is large is drained however busy the loop is', async () => {
  const { put, batches } = setup({ busy: true, eventBytes: 200 });
  await settled();
  put(8);
  await settled();
  expect(batches).toEqual([4]);
});

test('whoever waits for the rows does not wait for the pace, also when it has begun', async () => {
  const { drain, put, batches } = setup({ busy: true, eventBytes: 1 });
  await settled();
  put(9);
  await settled();
  expect(batches).toEqual([]);
  await drain.idle();
  expect(batches).toEqual([4, 4, 1]);
});

test('a drain that is stopped does not wait for its pause', async () => {
  const { drain, put, batches } = setup({ busy: true, eventBytes: 1 });
  await settled();
  put(1);
  await settled();
  await drain.stop();
  expect(batches.length).toBeLessThanOrEqual(1);
});

test('a batch that a rebuild overtook is not recorded, and what is there by now is read', async () => {
  const { drain, put, batches, asked, seal, log } = setup({ busy: false, eventBytes: 1 });
  await settled();
  seal.epoch = 1;
  put(4);
  await settled();
  expect(asked).toEqual([1, 2]);
  expect(batches).toEqual([4]);
  expect(drain.state()).toMatchObject({ failures: 0, inserted: 4 });
  expect(JSON.stringify(log.lines)).toContain('overtook');
});
