// Who is under way can be ended from outside, until it leaves and not after.

import { expect, test } from 'vitest';
import type { Clock } from '#src/core/clock.js';
import type { DirectorySnapshot } from '#src/core/directory.js';
import type { LiveCall } from '#src/flows/call/deps.js';
import { createLiveCalls } from '#src/flows/call/live-calls.js';

const CALL_MS_MAX = 1_000;

function world() {
  let nowMs = 0;
  const ended: string[] = [];
  const beaten = new Set<{ id: string; abort(ending: string): void }>();
  const calls = createLiveCalls({
    beats: {
      add(call) {
        beaten.add(call);
        return { leave: () => void beaten.delete(call) };
      },
    },
    clock: { elapsedMs: () => nowMs } as Clock,
    callMsMax: CALL_MS_MAX,
  });
  const call = (id: string, keyId = 'key'): LiveCall => ({
    ...{ id, keyId },
    seen: () => ({ nano_usd: 1, tokens: 2, requests: 1, concurrency: 0 }),
    hold: () => ({ id }) as ReturnType<LiveCall['hold']>,
    abort: (code, reason) => ended.push(`${id} ${code} ${reason}`),
  });
  const wait = (ms: number) => {
    nowMs += ms;
  };
  return { calls, call, ended, beaten, wait };
}

test('a call is ended once it has taken longer than a call may take, and no sooner', () => {
  const { calls, call, ended, wait } = world();
  calls.open(call('first'));
  wait(600);
  calls.open(call('second'));
  wait(399);
  calls.endOverdue();
  expect(ended).toEqual([]);
  wait(1);
  calls.endOverdue();
  expect(ended).toEqual(['first upstream_timeout it took longer than a call may take']);
});

test('a call that has left is ended by nobody, and leaves once', () => {
  const { calls, call, ended, beaten, wait } = world();
  const first = calls.open(call('first'));
  calls.open(call('second', 'other'));
  first.leave();
  first.leave();
  wait(CALL_MS_MAX);
  calls.endOverdue();
  calls.endRevoked({ keysByPublicId: new Map() } as unknown as DirectorySnapshot);
  calls.endAll('it stops');
  expect(ended.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'second upstream_timeout',
    'second key_revoked',
    'second draining',
  ]);
  expect([...beaten].map(({ id }) => id)).toEqual(['second']);
});

test('a call that holds nothing is in no beat and among no holds, and can be ended all the same', () => {
  const { calls, call, ended, beaten } = world();
  calls.open(call('held'));
  calls.open(call('unheld'), 'unheld');
  expect(calls.holds().map(({ id }) => id)).toEqual(['held']);
  expect(beaten.size).toBe(1);
  for (const one of beaten) one.abort('reaped');
  calls.endAll('it stops');
  calls.open(call('late'));
  expect(ended).toEqual([
    'held ledger_unavailable its hold was reaped',
    'held draining it stops',
    'unheld draining it stops',
    'late draining it stops',
  ]);
});
