// Two readers of one wire must not be told apart: whatever bytes come, however they are split and
// changed, the lane in front of Node answers what Node alone answers, byte for byte, and keeps or
// ends the connection where Node does.

import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Call } from '#src/core/call.js';
import { readHead } from '#src/edges/http/lane/head.js';
import { LIMITS } from '#src/edges/http/limits.js';
import { type Both, heardFrom, isAlike, openBoth, piecesOf } from '../support/both-readers.js';
import { LINES, ODD, PLAIN, requestOf } from '../support/requests.js';

const RUNS = Number(process.env.LANE_RUNS ?? 150);

let both: Both;
beforeAll(async () => {
  both = await openBoth();
});
afterAll(() => both.close());

// Answered only by a server that has kept the connection and its place in the bytes; it ends both.
const LAST = requestOf([...LINES, 'x-client-request-id: the-last', 'Connection: close']);

function ask(turns: readonly Buffer[], cuts: readonly number[] = []) {
  const pieces = [...turns, Buffer.from(LAST)].map((turn) => piecesOf(turn, cuts));
  return Promise.all([
    heardFrom(both.lane.port, pieces),
    heardFrom(both.node.port, pieces),
  ] as const);
}

async function expectSame(turns: readonly Buffer[], cuts?: readonly number[]): Promise<void> {
  const before = [both.lane.calls.length, both.node.calls.length] as const;
  const [lane, node] = await ask(turns, cuts);
  expect(lane).toEqual(node);
  const calls = both.lane.calls.slice(before[0]).map(readOf);
  expect(calls).toEqual(both.node.calls.slice(before[1]).map(readOf));
}

/** What was read of a call. */
function readOf({ operation, credential, claims, passHeaders, body, ...call }: Call) {
  const { maxCostNanoUsd, idempotencyKey } = call;
  const raw = body.raw.toString('latin1');
  return { operation, credential, claims, passHeaders, maxCostNanoUsd, idempotencyKey, raw };
}

test.each([...PLAIN, ...ODD])('%s', async (_name, request) => {
  await expectSame([Buffer.from(request)]);
});

test.each(ODD)('after a plain request: %s', async (_name, request) => {
  await expectSame([Buffer.from(requestOf(LINES)), Buffer.from(request)]);
});

const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  gone: fc.nat(4),
  put: fc.constantFrom(
    '',
    '0',
    '7',
    ' ',
    '\r',
    '\n',
    '\r\n',
    '\r\n\r\n',
    ':',
    ',',
    'a',
    '\t',
    '\0',
  ),
});
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 });
const changes = fc.array(change, { maxLength: 3 });

function changed(request: Buffer, made: readonly { at: number; gone: number; put: string }[]) {
  let text = request.toString('latin1');
  for (const { at, gone, put } of made) {
    const from = Math.floor(at * text.length);
    text = text.slice(0, from) + put + text.slice(from + gone);
  }
  return Buffer.from(text, 'latin1');
}

const plain = fc.constantFrom(...PLAIN.map(([, request]) => Buffer.from(request)));
const DOORS = new Map(
  ['/v1/chat/completions', '/openai/v1/messages/count_tokens'].map((path) => [
    path,
    async () => undefined,
  ]),
);

test(`what the lane reads Node reads alike (${RUNS})`, { timeout: 300_000 }, async () => {
  const scenario = fc.record({ request: plain, changes, cuts });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ request, changes: made, cuts: at }) => {
      const bytes = changed(request, made);
      const head = readHead(bytes, DOORS, LIMITS);
      fc.pre(head !== undefined && bytes.length >= head.bytes + head.length);
      await expectSame([bytes.subarray(0, head!.bytes + head!.length)], at);
    }),
    { numRuns: RUNS },
  );
});

// Pipelined, Node may write the `100 Continue` of a request into the answer before it.
const pipelined = [...PLAIN, ...ODD].filter(([name]) => name !== 'Expect');
const requests = fc.array(
  fc.constantFrom(...pipelined.map(([, request]) => Buffer.from(request))),
  { minLength: 1, maxLength: 3 },
);

test(`whatever is split, changed and pipelined (${RUNS})`, { timeout: 300_000 }, async () => {
  const scenario = fc.record({ requests, changes, cuts });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ requests: sent, changes: made, cuts: at }) => {
      const [lane, node] = await ask([changed(Buffer.concat(sent), made)], at);
      if (!isAlike(lane, node)) expect(lane).toEqual(node);
    }),
    { numRuns: RUNS },
  );
});
