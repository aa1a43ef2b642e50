// What an append log promises, on a file layer that fails on demand.

import { expect, test } from 'vitest';
import { type AppendLogOptions, openAppendLog } from '#src/drivers/append-log.js';
import type { LogDamage } from '#src/drivers/log-segments.js';
import { diskError, type FakeFiles, fakeFiles } from '../../support/log-files.js';
import { manualClock } from '../../support/manual-clock.js';

const NOW_MS = Date.UTC(2026, 10, 21, 9, 41);

const DURABLE = { durable: true, whenFull: 'wait' } as const;
const WRITTEN = { durable: false, whenFull: 'wait' } as const;
const SHED = { durable: false, whenFull: 'reject' } as const;

function options(files: FakeFiles, more: Partial<AppendLogOptions> = {}): AppendLogOptions {
  return {
    files,
    clock: manualClock(NOW_MS),
    segmentBytes: 1 << 20,
    bytesMax: 1 << 24,
    queueBytesMax: 1 << 20,
    retryMs: 100,
    onHighWater: () => {},
    onDamage: () => {},
    onTrouble: () => {},
    ...more,
  };
}

async function texts(files: FakeFiles, more: Partial<AppendLogOptions> = {}): Promise<string[]> {
  const log = await openAppendLog(options(files, more));
  const found = [];
  for (const { number } of log.segments) {
    for (const { text } of (await log.read(number, 0)).records) found.push(text);
  }
  return found;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('what is appended in one tick is one write and one fsync, answered together', async () => {
  const files = fakeFiles();
  const log = await openAppendLog(options(files));
  const first = log.append('0', DURABLE).done;
  await first;
  const before = { ...files.calls };
  await Promise.all(Array.from({ length: 50 }, (_, i) => log.append(`${i}`, DURABLE).done));
  expect(files.calls.write - before.write).toBe(1);
  expect(files.calls.datasync - before.datasync).toBe(1);
  await log.close();
});

test('segments are rotated by size and read back in the order of the appends', async () => {
  const files = fakeFiles();
  const log = await openAppendLog(options(files, { segmentBytes: 1024 }));
  const wanted = Array.from({ length: 100 }, (_, i) => JSON.stringify({ i, pad: 'ü'.repeat(20) }));
  for (const text of wanted) await log.append(text, DURABLE).done;
  await log.close();
  expect(files.contents.size).toBeGreaterThan(5);
  expect(await texts(files)).toEqual(wanted);
});

test('an fsync that failed is never tried again on its file, and nothing acknowledged is lost', async () => {
  for (let failAt = 1; failAt <= 6; failAt += 1) {
    const files = fakeFiles();
    files.failing = (call) =>
      call === 'datasync' && files.calls.datasync === failAt ? diskError('EIO') : undefined;
    const trouble: Error[] = [];
    const log = await openAppendLog(options(files, { onTrouble: (error) => trouble.push(error) }));
    const wanted = Array.from({ length: 30 }, (_, i) => `"${i}"`);
    for (const text of wanted) await log.append(text, DURABLE).done;
    await log.close();
    expect(trouble).toHaveLength(1);
    // The pages of the file whose fsync failed may be gone: what counts is the files after it.
    const found = await texts(files);
    expect(new Set(found)).toEqual(new Set(wanted));
    expect(log.state().full).toBe(false);
  }
});

test('what waited for a failed fsync is in the next segment when it is acknowledged', async () => {
  const files = fakeFiles();
  let broken = true;
  files.failing = (call) => {
    if (call !== 'datasync' || !broken) return undefined;
    broken = false;
    return diskError('EIO');
  };
  const log = await openAppendLog(options(files));
  const written = log.append('"only written"', WRITTEN);
  const durable = log.append('"durable"', DURABLE);
  await Promise.all([written.done, durable.done]);
  const [poisoned] = [...files.contents.keys()];
  files.contents.delete(poisoned ?? '');
  expect(await texts(files)).toEqual(['"only written"', '"durable"']);
  expect(durable.entry.segment).toBe(2);
  await log.close();
});

test('a full disk refuses who will not wait, keeps who will, and recovers when space returns', async () => {
  const files = fakeFiles();
  const clock = manualClock(NOW_MS);
  let room = true;
  files.failing = (call) => (call !== 'datasync' && !room ? diskError('ENOSPC') : undefined);
  const log = await openAppendLog(options(files, { clock }));
  await log.append('"before"', DURABLE).done;
  room = false;
  const kept = log.append('"kept"', DURABLE);
  const shed = log.append('"shed"', SHED);
  await expect(shed.done).rejects.toThrow('full');
  expect(log.state().full).toBe(true);
  await expect(log.append('"refused"', SHED).done).rejects.toThrow('full');
  clock.advance(100);
  await turn();
  expect(log.state().full).toBe(true);
  room = true;
  clock.advance(100);
  await kept.done;
  expect(log.state().full).toBe(false);
  await log.append('"after"', SHED).done;
  await log.close();
  // What the failed write left of it may be whole: a record may be there twice, never not.
  expect(await texts(files)).toEqual(['"before"', '"kept"', '"kept"', '"after"']);
});

test('what waits in memory is bounded', async () => {
  const files = fakeFiles();
  const log = await openAppendLog(options(files, { queueBytesMax: 1000 }));
  const all = Array.from({ length: 100 }, () => log.append(`"${'x'.repeat(80)}"`, DURABLE));
  expect(all.filter(({ refused }) => refused)).toHaveLength(91);
  expect(log.state().queueBytes).toBeLessThanOrEqual(1000);
  const answers = await Promise.allSettled(all.map(({ done }) => done));
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(9);
  await log.close();
});

test('80 % of the space is told once, and all of it is full until a segment goes', async () => {
  const files = fakeFiles();
  const told: number[] = [];
  const onHighWater = (bytes: number) => told.push(bytes);
  const limits = { segmentBytes: 1024, bytesMax: 10_000, onHighWater };
  const log = await openAppendLog(options(files, limits));
  while (!log.state().full) await log.append(`"${'x'.repeat(80)}"`, DURABLE).done;
  expect(told).toHaveLength(1);
  expect(told[0]).toBeGreaterThanOrEqual(8000);
  expect(told[0]).toBeLessThan(8200);
  await expect(log.append('"x"', SHED).done).rejects.toThrow('full');
  await log.append('"who must be written is written"', DURABLE).done;
  for (const { number } of log.segments.slice(0, 5)) await log.remove(number);
  await log.append('"x"', SHED).done;
  await log.close();
});

async function hundredRecords(): Promise<{ name: string; bytes: Buffer; wanted: string[] }> {
  const files = fakeFiles();
  const log = await openAppendLog(options(files));
  const wanted = Array.from({ length: 100 }, (_, i) => JSON.stringify({ i, text: `"\\n${i}` }));
  for (const text of wanted) await log.append(text, WRITTEN).done;
  await log.close();
  const [name, bytes] = [...files.contents][0] ?? ['', Buffer.alloc(0)];
  return { name, bytes, wanted };
}

test('wherever a file is cut, every record before the cut is read and none is wrong', async () => {
  const { name, bytes, wanted } = await hundredRecords();
  let whole = 0;
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const files = fakeFiles(new Map([[name, Buffer.from(bytes.subarray(0, cut))]]));
    const damage: LogDamage[] = [];
    const found = await texts(files, { onDamage: (at) => damage.push(at) });
    expect(damage).toEqual([]);
    expect(found).toEqual(wanted.slice(0, found.length));
    expect(found.length).toBeGreaterThanOrEqual(whole);
    // The torn end is gone from the file: what is left reads back whole.
    expect(await texts(files)).toEqual(found);
    whole = found.length;
  }
  expect(whole).toBe(100);
});

test('whichever byte is flipped, at most its record is missing, and then it is told', async () => {
  const { name, bytes, wanted } = await hundredRecords();
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8));
    const damage: LogDamage[] = [];
    const files = fakeFiles(new Map([[name, flipped]]));
    const found = await texts(files, { onDamage: (where) => damage.push(where) });
    const missing = wanted.filter((text) => !found.includes(text));
    expect(found.filter((text) => !wanted.includes(text))).toEqual([]);
    expect(missing.length).toBeLessThanOrEqual(1);
    // The last record's damage may look like a torn end, which is cut off and not told.
    if (missing.length > 0 && missing[0] !== wanted.at(-1))
      expect(damage.length).toBeGreaterThan(0);
  }
}, 60_000);
