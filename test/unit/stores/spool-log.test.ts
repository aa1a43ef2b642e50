// What the spool promises of calls that were cut off and of events that nobody has drained yet.

import { expect, test } from 'vitest';
import { uuidV7 } from '#src/core/id.js';
import type { DrainSource } from '#src/stores/spool.js';
import { openSpoolLog, type SpoolLogOptions } from '#src/stores/spool-log.js';
import { amounts, sentRecord, usageEvent, usageEvents } from '../../support/events.js';
import { diskError, type FakeFiles, fakeFiles } from '../../support/log-files.js';
import { manualClock } from '../../support/manual-clock.js';

const NOW_MS = Date.UTC(2026, 10, 21, 9, 41);

const HOUR_MS = 3_600_000;

function options(files: FakeFiles, more: Partial<SpoolLogOptions> = {}): SpoolLogOptions {
  return {
    files,
    clock: manualClock(NOW_MS),
    segmentBytes: 4096,
    bytesMax: 1 << 22,
    queueBytesMax: 1 << 20,
    retryMs: 100,
    onHighWater: () => {},
    onDamage: () => {},
    onTrouble: () => {},
    memoryBytesMax: 1 << 20,
    keepDrainedMs: 24 * HOUR_MS,
    replayBytes: 0,
    ...more,
  };
}

/** What a process that was killed leaves: the files as they are, nothing closed. */
function killed(files: FakeFiles): FakeFiles {
  return fakeFiles(new Map([...files.contents].map(([name, bytes]) => [name, Buffer.from(bytes)])));
}

async function drainAll(source: DrainSource, batch = 7): Promise<string[]> {
  const ids = [];
  for (;;) {
    const next = await source.next(batch);
    if (next.events.length === 0) return ids;
    ids.push(...next.events.map(({ id }) => id));
    source.drained(next);
  }
}

test('a sent call without an ending is an orphan with the highest spend seen', async () => {
  const files = fakeFiles();
  const spool = await openSpoolLog(options(files));
  const [cut, ended, released] = [uuidV7(1), uuidV7(2), uuidV7(3)];
  for (const id of [cut, ended, released]) await spool.sent(sentRecord(id));
  spool.seen([{ id: cut, seen: amounts({ nano_usd: 70, tokens: 9 }) }]);
  spool.seen([{ id: cut, seen: amounts({ nano_usd: 60, tokens: 12 }) }]);
  spool.released(released);
  await spool.ended(usageEvent({ id: ended }), 'fsync');

  const next = await openSpoolLog(options(killed(files)));
  const { orphans, replayedEvents } = next.recover();
  expect(orphans).toEqual([
    { record: sentRecord(cut), seen: amounts({ nano_usd: 70, tokens: 12 }) },
  ]);
  expect(replayedEvents).toBe(1);
  expect(await drainAll(next)).toEqual([ended]);
});

test('of two drains at once each takes out what it was handed and nothing else', async () => {
  const spool = await openSpoolLog(options(fakeFiles()));
  const events = usageEvents(5);
  for (const event of events.slice(0, 3)) await spool.ended(event, 'written');
  const slow = await spool.next(2);
  const quick = await spool.next(3);
  spool.drained({ events: quick.events.slice(0, 1) });
  const later = await spool.next(3);
  for (const event of events.slice(3)) await spool.ended(event, 'written');
  spool.drained(slow);
  expect((await spool.next(9)).events).toEqual(events.slice(2));
  spool.drained(slow);
  spool.drained(quick);
  expect((await spool.next(9)).events).toEqual(events.slice(3));
  spool.drained(later);
  spool.drained({ events: [] });
  expect((await spool.next(9)).events).toEqual(events.slice(3));
  expect(spool.state().pendingEvents).toBe(2);
});

test('two that read from disk at once get the same events, each once', async () => {
  const files = fakeFiles();
  const spool = await openSpoolLog(options(files));
  const events = usageEvents(20);
  for (const event of events) await spool.ended(event, 'fsync');
  const next = await openSpoolLog(options(killed(files)));
  const [one, other] = await Promise.all([next.next(20), next.next(20)]);
  expect(other).toEqual(one);
  expect(await drainAll(next)).toEqual(events.map(({ id }) => id));
});

test('events are drained in order, and those that were drained do not come again', async () => {
  const files = fakeFiles();
  const spool = await openSpoolLog(options(files));
  const events = usageEvents(100);
  for (const event of events) await spool.ended(event, 'fsync');
  const first = await spool.next(60);
  expect(await spool.next(60)).toEqual(first);
  spool.drained(first);
  await spool.ended(events[0]!, 'fsync');

  const next = await openSpoolLog(options(killed(files)));
  const ids = await drainAll(next);
  expect(ids).toEqual([...events.slice(60), events[0]].map((event) => event?.id));
  expect(ids).toHaveLength(41);
  expect(next.state()).toEqual({ pendingEvents: 0, pendingBytes: 0, full: false });
});

test('at least the asked bytes of what was drained are drained again at a start', async () => {
  const files = fakeFiles();
  const spool = await openSpoolLog(options(files));
  const events = usageEvents(60);
  for (const event of events) await spool.ended(event, 'fsync');
  await drainAll(spool);
  await spool.close();
  const again = await drainAll(await openSpoolLog(options(files, { replayBytes: 20_000 })));
  expect(again).toEqual(events.slice(-again.length).map(({ id }) => id));
  // One event is about 1,100 bytes here, and marks lie between them.
  expect(again.length).toBeGreaterThan(10);
  expect(again.length).toBeLessThan(20);
});

test('what does not fit the memory is read back from disk, in order and without a gap', async () => {
  const files = fakeFiles();
  const spool = await openSpoolLog(options(files, { memoryBytesMax: 10_000 }));
  const events = usageEvents(300);
  const drained: string[] = [];
  let at = 0;
  while (drained.length < events.length) {
    const writes = events.slice(at, at + 40).map((event) => spool.ended(event, 'fsync'));
    at += 40;
    if (at % 80 === 0) await Promise.all(writes);
    const batch = await spool.next(25);
    drained.push(...batch.events.map(({ id }) => id));
    spool.drained(batch);
    await Promise.all(writes);
  }
  expect(drained).toEqual(events.map(({ id }) => id));
  expect(spool.state().pendingEvents).toBe(0);
});

test('a tail that was written twice neither repeats an orphan nor loses an event', async () => {
  for (let failAt = 1; failAt <= 12; failAt += 1) {
    const files = fakeFiles();
    files.failing = (call) =>
      call === 'datasync' && files.calls.datasync === failAt ? diskError('EIO') : undefined;
    const spool = await openSpoolLog(options(files, { memoryBytesMax: 3000 }));
    const ids = Array.from({ length: 20 }, (_, i) => uuidV7(i + 1));
    for (const id of ids) {
      await spool.sent(sentRecord(id));
      await spool.ended(usageEvent({ id }), 'fsync');
    }
    const next = await openSpoolLog(options(killed(files)));
    expect(next.recover().orphans).toEqual([]);
    expect([...new Set(await drainAll(next))]).toEqual(ids);
    expect([...new Set(await drainAll(spool))]).toEqual(ids);
  }
});

test('an event that reached SQL is acknowledged although the disk is full', async () => {
  const files = fakeFiles();
  const spool = await openSpoolLog(options(files));
  await spool.sent(sentRecord(uuidV7(1)));
  files.failing = (call) => (call === 'datasync' ? undefined : diskError('ENOSPC'));
  const event = usageEvent();
  const acknowledged = spool.ended(event, 'fsync');
  await expect(spool.sent(sentRecord(uuidV7(2)))).rejects.toThrow('full');
  expect(spool.state().full).toBe(true);
  spool.drained(await spool.next(10));
  await acknowledged;
});

test('a call whose sent was refused is not charged at a restart', async () => {
  const files = fakeFiles();
  const clock = manualClock(NOW_MS);
  const spool = await openSpoolLog(options(files, { clock }));
  // The whole record reaches the disk, and then the write fails.
  const ids = [uuidV7(1), uuidV7(2)];
  let broken = true;
  files.failing = (call) => (broken && call !== 'datasync' ? diskError('ENOSPC') : undefined);
  await Promise.allSettled(ids.map((id) => spool.sent(sentRecord(id))));
  broken = false;
  clock.advance(100);
  await spool.ended(usageEvent(), 'fsync');
  expect((await openSpoolLog(options(killed(files)))).recover().orphans).toEqual([]);
});

test('drained segments stay for their time, and as long as a call of theirs is open', async () => {
  const files = fakeFiles();
  const clock = manualClock(NOW_MS);
  const spool = await openSpoolLog(options(files, { clock }));
  const long = uuidV7(1);
  const write = async (count: number) => {
    for (const event of usageEvents(count)) await spool.ended(event, 'fsync');
    await drainAll(spool);
  };
  await write(40);
  await spool.sent(sentRecord(long));
  await write(40);
  const before = files.contents.size;
  clock.advance(23 * HOUR_MS);
  await write(1);
  expect(files.contents.size).toBeGreaterThanOrEqual(before);
  clock.advance(2 * HOUR_MS);
  await write(10);
  const whileOpen = files.contents.size;
  expect(whileOpen).toBeLessThan(before);
  expect((await openSpoolLog(options(killed(files)))).recover().orphans).toHaveLength(1);
  await spool.ended(usageEvent({ id: long }), 'fsync');
  await write(10);
  expect(files.contents.size).toBeLessThan(whileOpen);
  expect((await openSpoolLog(options(killed(files)))).recover().orphans).toEqual([]);
});
