// How the ledger is told of what was sent: joined, in time, and each answered for its own hold.

import { expect, test } from 'vitest';
import { type Amounts, NOTHING } from '#src/core/amount.js';
import { createMarks } from '#src/flows/call/marks.js';
import {
  type BeatReply,
  type BeatRequest,
  LedgerUnavailable,
  type OneBeat,
} from '#src/stores/ledger/ledger.js';
import { testLog } from '../../support/log.js';

/** Marks of a ledger that is elsewhere, whose replies the test gives. */
function elsewhere(answer: (request: BeatRequest) => Promise<BeatReply>) {
  const asked: BeatRequest[] = [];
  const log = testLog();
  const beat = (request: BeatRequest) => {
    asked.push(request);
    return answer(request);
  };
  const marks = createMarks({ ledger: { beat }, log, owner: 'me', leaseMs: 15_000 });
  return { marks, asked, lines: log.lines };
}

const beaten = (...gone: string[]): BeatReply => ({
  ...{ answer: 'BEATEN', balances: [], seq: 1, epoch: 1, timeMs: 0 },
  gone: gone.map((id) => ({ id, ending: 'reaped' as const })),
});
const floorOf = (nano_usd: number): Amounts => ({ ...NOTHING, nano_usd, requests: 1 });
const beatOf = (id: string, nano: number): OneBeat => ({
  id,
  seen: NOTHING,
  sent: { floor: floorOf(nano) },
});
const ids = ({ beats }: BeatRequest) => beats.map(({ id }) => id);

test('a call by itself is told in the turn in which it was sent', async () => {
  const { marks, asked } = elsewhere(async () => beaten());
  const mark = marks.tell('a', floorOf(7));
  await new Promise<void>((resolve) => process.nextTick(resolve));
  expect(asked).toEqual([{ owner: 'me', leaseMs: 15_000, beats: [beatOf('a', 7)] }]);
  expect(await mark).toBe('marked');
});

test('calls that one read of the ledger admitted are told in one beat', async () => {
  const { marks, asked } = elsewhere(async () => beaten());
  // As their continuations run: one microtask after the other, some a few later.
  const calls = Array.from({ length: 5 }, async (_, i) => {
    for (let later = 0; later < i; later += 1) await undefined;
    return marks.tell(`c${i}`, floorOf(i));
  });
  expect(await Promise.all(calls)).toEqual(calls.map(() => 'marked'));
  expect(asked).toHaveLength(1);
  expect(asked[0]?.beats).toEqual(calls.map((_, i) => beatOf(`c${i}`, i)));
});

test('what is sent in a later turn does not wait for an answer that is not there yet', async () => {
  const { marks, asked } = elsewhere(() => new Promise(() => {}));
  void marks.tell('a', floorOf(1));
  await new Promise(setImmediate);
  void marks.tell('b', floorOf(2));
  await new Promise(setImmediate);
  expect(asked.map(ids)).toEqual([['a'], ['b']]);
});

test('each is answered for its own hold', async () => {
  const { marks } = elsewhere(async () => beaten('b', 'd'));
  const told = ['a', 'b', 'c', 'd'].map((id) => marks.tell(id, floorOf(1)));
  expect(await Promise.all(told)).toEqual(['marked', 'gone', 'marked', 'gone']);
});

test('a beat takes 64 calls; more are told in several', async () => {
  const { marks, asked } = elsewhere(async ({ beats }) => beaten(beats.at(-1)!.id));
  const told = await Promise.all(
    Array.from({ length: 150 }, (_, i) => marks.tell(`c${i}`, floorOf(i))),
  );
  expect(asked.map(({ beats }) => beats.length)).toEqual([64, 64, 22]);
  expect(told.flatMap((mark, i) => (mark === 'gone' ? [i] : []))).toEqual([63, 127, 149]);
});

test('calls go on while the ledger is away, and nobody is told that they are gone', async () => {
  const { marks, lines } = elsewhere(() => Promise.reject(new LedgerUnavailable('away')));
  const told = ['a', 'b'].map((id) => marks.tell(id, floorOf(1)));
  expect(await Promise.all(told)).toEqual(['marked', 'marked']);
  expect(lines).toEqual([]);
});

test('a fault of ours is of the calls that it met, and is in the log', async () => {
  const { marks, lines } = elsewhere(() => Promise.reject(new TypeError('a bug')));
  const told = ['a', 'b'].map((id) => marks.tell(id, floorOf(1)));
  expect(await Promise.all(told)).toEqual(['unwritten', 'unwritten']);
  expect(lines.map(({ fields }) => fields.id)).toEqual(['a', 'b']);
});

test('what no ledger takes does not keep the others from being told', async () => {
  const { marks, asked } = elsewhere(async (request) => {
    if (ids(request).includes('bad')) return { ...beaten(), answer: 'INVALID_INPUT' };
    return beaten(...ids(request).filter((id) => id === 'gone'));
  });
  const told = ['a', 'bad', 'gone'].map((id) => marks.tell(id, floorOf(1)));
  expect(await Promise.all(told)).toEqual(['marked', 'marked', 'gone']);
  expect(asked.map(ids)).toEqual([['a', 'bad', 'gone'], ['a'], ['bad'], ['gone']]);
});

test('a ledger of this process is told at once', () => {
  const asked: BeatRequest[] = [];
  const beat = (request: BeatRequest): BeatReply => {
    asked.push(request);
    if (ids(request)[0] === 'bug') throw new TypeError('a bug');
    return beaten(...ids(request).filter((id) => id === 'gone'));
  };
  const log = testLog();
  const now = { beat } as never;
  const ledger = { now, beat: () => Promise.reject(new Error('not asked')) };
  const marks = createMarks({ ledger, log, owner: 'me', leaseMs: 15_000 });
  const told = ['a', 'gone', 'bug'].map((id) => marks.tell(id, floorOf(3)));
  expect(told).toEqual(['marked', 'gone', 'unwritten']);
  expect(asked[0]).toEqual({ owner: 'me', leaseMs: 15_000, beats: [beatOf('a', 3)] });
  expect(log.lines.map(({ fields }) => fields.id)).toEqual(['bug']);
});
