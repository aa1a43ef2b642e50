// The gateway dies at every named step of the path of one call, and the next one on the same data
// directory puts the books right. One home serves all: the start after a death is the next life,
// which dies at the next step. The rows are read once, at the end.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pgliteImage } from '../support/databases.js';
import { type GatewayHome, openGatewayHome } from '../support/gateway-process.js';
import type { UpstreamEvent } from '../support/scripted-upstream.js';
import { openScriptedUpstream, type ScriptedUpstream } from '../support/scripted-upstream.js';
import { readRows, readSpent, untilNoHolds } from '../trials/books-of-home.js';
import { type Asked, ask, type Kind, nanoUsd, streamKind, wholeKind } from '../trials/calls.js';
import { homeOptions } from '../trials/home.js';
import { exchangesOf, type Row, type Spent } from '../trials/kill-checks.js';

const STREAM = streamKind('stream', 3, {});
/** Longer than two beats, so that the spend that passed has been written down. */
const SLOW = streamKind('slow', 16, { paceMs: 50 });
const WHOLE = wholeKind('whole', 3, 0);
const KINDS = [STREAM, SLOW, WHOLE];
const WITHIN_MS = 3_200;
/** A dozen starts, also on a machine that has little time to give. */
const HOOK_MS = 600_000;

interface Expected {
  /** Whether the client had bytes; undefined: either is right. */
  bytes?: boolean;
  upstream: boolean;
  rows: 0 | 1;
  costNanoUsd?: { least: number; most: number };
  usageSource?: 'estimated' | 'provider';
}

interface Death {
  at: string;
  kind: Kind;
  says: string;
  expected: Expected;
}

const exactly = (words: number) => ({ least: nanoUsd(words), most: nanoUsd(words) });
const PROMPT_ONLY = { rows: 1, costNanoUsd: exactly(0), usageSource: 'estimated' } as const;
const SEEN = {
  rows: 1,
  usageSource: 'estimated',
  // 16 words, 50 ms each: what came in the last two beats may be missing.
  costNanoUsd: { least: nanoUsd(4), most: nanoUsd(16) },
} as const;
const EXACT = { rows: 1, usageSource: 'provider' } as const;

const DEATHS: readonly Death[] = [
  {
    at: 'post_pg_commit',
    kind: STREAM,
    says: 'after its row is committed and before the spool knows: one row, as it was',
    expected: { upstream: true, ...EXACT, costNanoUsd: exactly(3) },
  },
  {
    at: 'pre_reserve',
    kind: STREAM,
    says: 'before the hold: no row, and the upstream got nothing',
    expected: { bytes: false, upstream: false, rows: 0 },
  },
  {
    at: 'post_reserve',
    kind: STREAM,
    says: 'with the hold, before the upstream: never charged',
    expected: { bytes: false, upstream: false, rows: 0 },
  },
  {
    at: 'on_send',
    kind: STREAM,
    says: 'as the request reaches the socket, before that is written: never charged twice',
    expected: { bytes: false, upstream: true, rows: 0 },
  },
  {
    at: 'post_send',
    kind: { ...SLOW, model: 'gpt-4o-held' },
    says: 'once sent, before the first byte: the prompt, estimated',
    expected: { bytes: false, upstream: true, ...PROMPT_ONLY },
  },
  {
    at: 'chunk:1',
    kind: STREAM,
    says: 'at the first chunk: the prompt, estimated',
    expected: { upstream: true, ...PROMPT_ONLY },
  },
  {
    at: 'chunk:3',
    kind: streamKind('three', 400, { paceMs: 60 }),
    says: 'at the third chunk: one row, no more than what had passed',
    expected: {
      ...PROMPT_ONLY,
      ...{ bytes: true, upstream: true },
      costNanoUsd: { least: nanoUsd(0), most: nanoUsd(3) },
    },
  },
  {
    at: 'post_finalize',
    kind: SLOW,
    says: 'once booked, before it is written down: what was seen, and once',
    expected: { bytes: true, upstream: true, ...SEEN },
  },
  {
    at: 'pre_spool',
    kind: WHOLE,
    says: 'a whole answer before it is written down: the client has nothing, the prompt is charged',
    expected: { bytes: false, upstream: true, ...PROMPT_ONLY },
  },
  {
    at: 'post_spool',
    kind: STREAM,
    says: 'once written down, before the terminator: the exact amount',
    expected: { bytes: true, upstream: true, ...EXACT, costNanoUsd: exactly(3) },
  },
];

let upstream: ScriptedUpstream;
let home: GatewayHome;
const log: UpstreamEvent[] = [];
const asked: Asked[] = [];
const spent: Spent[] = [];
let rows: Row[] = [];

beforeAll(async () => {
  upstream = await openScriptedUpstream((event) => log.push(event));
  const kinds = [...KINDS, ...DEATHS.map(({ kind }) => kind)];
  for (const { model, plan } of kinds) upstream.forModel(model, plan);
  upstream.forModel('gpt-4o-held', { hold: true });
  home = await openGatewayHome(homeOptions(upstream, kinds, await pgliteImage()));
  for (const [index, { at, kind }] of DEATHS.entries()) {
    const gateway = await home.start({ crashAt: at });
    if (index > 0) await settled(gateway, index - 1);
    const { url, key } = gateway;
    const one = await ask({ url, key, round: index, kind, requestId: `death-${index}` });
    expect(await gateway.ended, at).toBe('SIGKILL');
    asked.push(one!);
  }
  // And once more while the ledger is being rebuilt from what the last one left.
  const rebuilding = home.launch({ crashAt: 'post_pg_commit' });
  expect(await rebuilding.ended).toBe('SIGKILL');
  const last = await home.start();
  await settled(last, DEATHS.length - 1);
  await last.stop();
  rows = await readRows(home);
}, HOOK_MS);

afterAll(async () => {
  await home?.remove();
  await upstream?.close();
});

async function settled(gateway: Awaited<ReturnType<GatewayHome['start']>>, round: number) {
  await untilNoHolds(gateway, WITHIN_MS);
  spent.push(await readSpent(gateway, round));
}

describe('a gateway that is killed', () => {
  test.each(DEATHS.map((death, index) => ({ ...death, index })))(
    '$at: $says',
    ({ index, expected }) => {
      const call = asked[index]!;
      const own = rows.filter(({ requestId }) => requestId === call.requestId);
      const [row] = own;
      // Only the drain comes after the terminator.
      if (index > 0) expect(call.sawLastByte, 'the last byte').toBe(false);
      if (expected.bytes !== undefined) expect(call.bytes > 0, 'bytes').toBe(expected.bytes);
      expect(exchangesOf(log).has(call.requestId), 'the upstream got it').toBe(expected.upstream);
      expect(own).toHaveLength(expected.rows);
      if (!row) return;
      expect(row).toMatchObject({ kind: 'base', usageSource: expected.usageSource });
      expect(row.costNanoUsd).toBeGreaterThanOrEqual(expected.costNanoUsd?.least ?? 0);
      expect(row.costNanoUsd).toBeLessThanOrEqual(expected.costNanoUsd?.most ?? 0);
    },
  );

  test('leaves a ledger that has exactly what the rows have, at every start', () => {
    expect(spent).toHaveLength(DEATHS.length);
    for (const { round, envelopes } of spent) {
      const until = asked.filter((one) => one.round <= round).map(({ requestId }) => requestId);
      const cost = rows
        .filter(({ requestId }) => until.includes(requestId))
        .reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0);
      const global = envelopes.find(({ label }) => /^\d{4}-\d{2}$/.test(label));
      expect(global?.spent, `after death ${round}`).toBe(cost);
    }
  });
});
