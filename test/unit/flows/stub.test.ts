// The stub's JSON, of which calls of one key share the beginning, says what the stub says.

import { expect, test } from 'vitest';
import type { Call, Caller, Plan, Target } from '#src/core/call.js';
import type { Stub } from '#src/core/usage-event.js';
import { stubText } from '#src/flows/call/stub.js';

const OWN = { keyId: 'key-1', agentName: 'a"b\\c\n\u00e9\u{1f600}', tags: { team: 'x' } };
const CALLER = { keyId: 'key-1', attribution: OWN } as unknown as Caller;
const CALL = { known: CALLER } as Call;

function target(model: string): Target {
  return { id: `p/${model}`, provider: { name: 'p' }, model, price: undefined } as Target;
}

function plan(...targets: Target[]): Plan {
  return { publicModel: 'public', targets };
}

function stub(over: Partial<Stub>): Stub {
  const names = { provider: 'p', model: 'm', priceVersion: 'v1' };
  const own = { startedAtMs: 1_700_000_000_123, stream: false, requestId: 'r-1' };
  return { attribution: OWN, ...names, ...own, ...over };
}

test('each call has its own target, time, kind, request, pair and prompt in its stub', () => {
  const [first, second] = [target('m'), target('n"2')];
  const pair = { id: 'o', currency: 'EUR', usdPerUnit: '1.1' };
  const prompt = { tokensBefore: 9, tokensAfter: 3, trimsCount: 1, topKeys: [], rejects: 0 };
  const stubs: [Plan, Stub][] = [
    [plan(first), stub({})],
    [plan(first), stub({ startedAtMs: 5, stream: true, requestId: 'a.b:c-2' })],
    [plan(second, first), stub({ model: second.model, priceVersion: '' })],
    [plan(first), stub({ pair, prompt })],
    [plan(), stub({ provider: '', model: 'public' })],
    [plan(first), stub({})],
  ];
  for (const [where, own] of stubs) expect(JSON.parse(stubText(CALL, where, own))).toEqual(own);
});

test('what a client claims is in its own stub and in nobody else’s', () => {
  const where = plan(target('m'));
  const claimed = stub({ attribution: { ...OWN, task: 'claimed' } });
  expect(JSON.parse(stubText(CALL, where, claimed))).toEqual(claimed);
  expect(JSON.parse(stubText(CALL, where, stub({})))).toEqual(stub({}));
  expect(JSON.parse(stubText({} as Call, where, claimed))).toEqual(claimed);
});
