import { expect, test } from 'vitest';
import type { Clock } from '#src/core/clock.js';
import type { Log } from '#src/core/log.js';
import type { Database } from '#src/drivers/database.js';
import { openDirectory } from '#src/stores/directory.js';

/** A database whose version is what the test says, and whose answers may be held back or fail. */
function fake() {
  const state = { version: 1, fails: false, reads: 0, projects: [] as { id: string }[] };
  let gate: Promise<void> = Promise.resolve();
  let versionGate: Promise<void> = Promise.resolve();
  const query = async (text: string): Promise<unknown[]> => {
    const { version, projects } = state;
    if (text.includes('config_version')) {
      if (state.fails) throw new Error('away');
      await versionGate;
      return [{ version }];
    }
    if (!text.includes('from projects')) return [];
    state.reads += 1;
    await gate;
    return projects;
  };
  let tick = () => {};
  const ticksEveryMs: number[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    elapsedMs: () => 0,
    every(everyMs, run) {
      ticksEveryMs.push(everyMs);
      tick = run;
      return () => {};
    },
    after: () => () => {},
  };
  const said: string[] = [];
  const say = (_fields: object, text: string) => said.push(text);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  return {
    state,
    said,
    ticksEveryMs,
    options: { database: { query } as unknown as Database, clock, log },
    tick: () => tick(),
    /** Answers are taken now and given when the answer of this is called. */
    hold(what: 'rows' | 'versions' = 'rows') {
      let open = () => {};
      const closed = new Promise<void>((resolve) => {
        open = resolve;
      });
      if (what === 'rows') gate = closed;
      else versionGate = closed;
      return open;
    },
  };
}

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
};

test('the snapshot is the same object until the version moves', async () => {
  const { state, options, tick } = fake();
  const directory = await openDirectory(options);
  const first = directory.snapshot();
  tick();
  await turns(5);
  expect(directory.snapshot()).toBe(first);
  expect(state.reads).toBe(1);
  state.version = 2;
  tick();
  await turns(5);
  expect(directory.snapshot().version).toBe(2);
});

test('the version is looked at twice a second where nothing else is said', async () => {
  const { options, ticksEveryMs } = fake();
  await openDirectory(options);
  expect(ticksEveryMs).toEqual([500]);
});

test('a refresh that comes while a read is ending sees what was changed before it', async () => {
  const { state, options, hold } = fake();
  const directory = await openDirectory(options);
  const openRows = hold();
  state.version = 2;
  const early = directory.refresh();
  await turns(2);
  const openVersions = hold('versions');
  openRows();
  await turns(2);
  // The early read has its last answer on the way: this change is not in it.
  state.version = 3;
  state.projects = [{ id: 'new' }];
  const late = [directory.refresh(), directory.refresh(), directory.refresh()];
  openVersions();
  await early;
  expect(directory.snapshot().version).toBe(2);
  await Promise.all(late);
  expect(directory.snapshot().version).toBe(3);
  expect([...directory.snapshot().projects.keys()]).toEqual(['new']);
});

test('rows that were changed while they were read are read again', async () => {
  const { state, options, hold } = fake();
  const directory = await openDirectory(options);
  const open = hold();
  state.version = 2;
  const refreshed = directory.refresh();
  await turns(2);
  state.version = 3;
  state.projects = [{ id: 'new' }];
  open();
  await refreshed;
  expect(directory.snapshot().version).toBe(3);
  expect(directory.snapshot().projects.has('new')).toBe(true);
});

test('while SQL is away the last snapshot stays, and it is told once', async () => {
  const { state, options, tick, said } = fake();
  const directory = await openDirectory(options);
  const first = directory.snapshot();
  state.fails = true;
  for (let round = 0; round < 3; round += 1) {
    tick();
    await turns(3);
  }
  expect(directory.snapshot()).toBe(first);
  expect(said).toEqual(['the directory cannot be read; the last one stays']);
  await expect(directory.refresh()).rejects.toThrow('away');
  state.fails = false;
  state.version = 9;
  tick();
  await turns(5);
  expect(directory.snapshot().version).toBe(9);
  expect(said).toHaveLength(2);
  await directory.close();
});
