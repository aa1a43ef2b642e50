// A gateway dies at every named step of the path of one call while another runs over the same Redis
// and PostgreSQL: the other one ends and records what was left, and the next life of the dead one,
// which finds its own log, adds nothing to it.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { assertBooksBalance } from '../support/books.js';
import { type FreshDatabase, freshPostgres } from '../support/databases.js';
import {
  type GatewayHome,
  type GatewayProcess,
  openGatewayHome,
  TEST_LEASE,
} from '../support/gateway-process.js';
import { type Server, startRedis } from '../support/programs.js';
import { openScriptedUpstream, type ScriptedUpstream } from '../support/scripted-upstream.js';
import { untilNoHolds } from '../trials/books-of-home.js';
import { ask, type Kind, nanoUsd, streamKind, wholeKind } from '../trials/calls.js';
import { homeOptions } from '../trials/home.js';

const STREAM = streamKind('stream', 3, {});
const SLOW = streamKind('slow', 16, { paceMs: 50 });
const THREE = streamKind('three', 400, { paceMs: 60 });
const WHOLE = wholeKind('whole', 3, 0);
const HELD: Kind = { ...SLOW, model: 'gpt-4o-held' };
/** The lease, a tick, and a second: then nobody holds anything any more. */
const WITHIN_MS = TEST_LEASE.lease_ms + TEST_LEASE.reap_ms + 1_000;

const DRAINED_WITHIN_MS = 30_000;

interface Death {
  at: string;
  kind: Kind;
  says: string;
  rows: 0 | 1;
  /** What its row costs. */
  least?: number;
  most?: number;
  isEstimated?: boolean;
}

const exactly = (words: number) => ({ least: nanoUsd(words), most: nanoUsd(words) });
const PROMPT_ONLY = { rows: 1, ...exactly(0), isEstimated: true } as const;

const DEATHS: readonly Death[] = [
  {
    ...{ at: 'post_pg_commit', kind: STREAM, rows: 1, ...exactly(3) },
    says: 'after its row is committed and before the outbox knows: one row, as it was',
  },
  {
    ...{ at: 'pre_reserve', kind: STREAM, rows: 0 },
    says: 'before the hold: no row',
  },
  {
    ...{ at: 'post_reserve', kind: STREAM, rows: 0 },
    says: 'with the hold, before the upstream: never charged',
  },
  {
    ...{ at: 'on_send', kind: STREAM, rows: 0 },
    says: 'as the request reaches the socket, before that is told: never charged',
  },
  {
    ...{ at: 'post_send', kind: HELD, ...PROMPT_ONLY },
    says: 'once sent, before the first byte: the prompt, estimated',
  },
  {
    ...{ at: 'chunk:1', kind: STREAM, ...PROMPT_ONLY },
    says: 'at the first chunk: the prompt, estimated',
  },
  {
    ...{ at: 'chunk:3', kind: THREE, ...PROMPT_ONLY, most: nanoUsd(3) },
    says: 'at the third chunk: no more than what had passed',
  },
  {
    ...{ at: 'post_finalize', kind: SLOW, rows: 1, ...exactly(16) },
    says: 'once booked, before it is written down: the exact amount, from the outbox',
  },
  {
    ...{ at: 'pre_spool', kind: WHOLE, rows: 1, ...exactly(3) },
    says: 'a whole answer that is booked and not written down: the exact amount',
  },
  {
    ...{ at: 'post_spool', kind: STREAM, rows: 1, ...exactly(3) },
    says: 'once written down, before the terminator: the exact amount',
  },
];

interface Row {
  requestId: string;
  kind: string;
  source: string;
  costNanoUsd: number;
}

let server: Server;
let fresh: FreshDatabase;
let upstream: ScriptedUpstream;
let other: GatewayProcess;
const homes: GatewayHome[] = [];
const rows: Row[][] = [];
let afterwards: Row[] = [];

const ROWS = `select metadata->>'request_id' as "requestId", kind, usage_source as source,
  (cost_usd * 1000000000)::bigint as "costNanoUsd" from token_usage`;

beforeAll(async () => {
  server = await startRedis(join(inject('runFolder'), 'redis-failpoints'));
  fresh = await freshPostgres();
  upstream = await openScriptedUpstream();
  const kinds = [STREAM, SLOW, THREE, WHOLE, HELD];
  for (const { model, plan } of kinds) upstream.forModel(model, plan);
  upstream.forModel(HELD.model, { hold: true });
  const { config } = homeOptions(upstream, kinds);
  const shared = {
    config,
    env: { REDIS_URL: server.url, DATABASE_URL: fresh.url! },
    keys: { key: '', adminKey: '' },
  };
  homes.push(await openGatewayHome(shared), await openGatewayHome(shared));
  const [dying, living] = homes as [GatewayHome, GatewayHome];
  for (const [index, { at, kind }] of DEATHS.entries()) {
    const gateway = await dying.start({ crashAt: at });
    // The first to come is who drains, and dies of it.
    other ??= await living.start();
    const { url, key } = gateway;
    await ask({ url, key, round: index, kind, requestId: `death-${index}` });
    expect(await gateway.ended, at).toBe('SIGKILL');
    await untilNoHolds(other, WITHIN_MS);
    await untilDrained();
    rows.push([...(await fresh.database.query<Row>(ROWS))]);
  }
  const last = await dying.start();
  await untilDrained();
  await last.stop();
  await other.stop();
  afterwards = [...(await fresh.database.query<Row>(ROWS))];
}, 600_000);

afterAll(async () => {
  await Promise.all(homes.map((home) => home.remove()));
  await upstream?.close();
  await fresh?.drop();
  await server?.kill();
});

/** What was booked by now is in SQL: the outbox is empty. */
async function untilDrained(): Promise<void> {
  const untilMs = performance.now() + DRAINED_WITHIN_MS;
  while (!/^purser_events_waiting 0$/m.test(await metrics())) {
    if (performance.now() > untilMs) throw new Error('what was booked is not recorded');
    await sleep(20);
  }
}

async function metrics(): Promise<string> {
  return (await fetch(`${other.url}/metrics`)).text();
}

describe('of a gateway that is killed the other one leaves', () => {
  test.each(DEATHS.map((death, index) => ({ ...death, index })))(
    '$at: $says',
    ({ index, rows: count, least = 0, most = 0, isEstimated = false }) => {
      const own = rows[index]!.filter(({ requestId }) => requestId === `death-${index}`);
      expect(own).toHaveLength(count);
      const [row] = own;
      if (!row) return;
      expect(row.kind).toBe('base');
      expect(row.source === 'estimated').toBe(isEstimated);
      expect(row.costNanoUsd).toBeGreaterThanOrEqual(least);
      expect(row.costNanoUsd).toBeLessThanOrEqual(most);
    },
  );

  test('what its own next life neither adds to nor takes away', async () => {
    const last = rows.at(-1)!;
    expect(afterwards.map(({ requestId }) => requestId).sort()).toEqual(
      last.map(({ requestId }) => requestId).sort(),
    );
    await assertBooksBalance(fresh.database);
  });
});
