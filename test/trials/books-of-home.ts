// The rows of a gateway that was stopped, read from its own data directory, and what a running one
// says of its holds and counters.

import { openPglite } from '#src/drivers/pglite.js';
import { assertBooksBalance } from '../support/books.js';
import type { GatewayHome, GatewayProcess } from '../support/gateway-process.js';
import { nowMs } from './calls.js';
import type { Row, Spent } from './kill-checks.js';

const ROWS = `select reservation_id::text as "reservationId", kind, usage_source as "usageSource",
    metadata->>'request_id' as "requestId", (cost_usd * 1000000000)::bigint as "costNanoUsd",
    outcome, lines from token_usage order by reservation_id, kind`;

/** All rows, once it is seen that they agree with their totals. No gateway may run. */
export async function readRows(home: GatewayHome): Promise<Row[]> {
  const { database, close } = await openPglite({ at: { dir: home.databaseDir } });
  try {
    await assertBooksBalance(database);
    return [...(await database.query<Row>(ROWS))];
  } finally {
    await close();
  }
}

/** Milliseconds until no hold was left; throws where one outlives `withinMs`. */
export async function untilNoHolds(gateway: GatewayProcess, withinMs: number): Promise<number> {
  const startedAtMs = nowMs();
  for (;;) {
    const { data } = (await read(gateway, '/admin/v1/reservations', gateway.adminKey)) as {
      data: unknown[];
    };
    const tookMs = nowMs() - startedAtMs;
    if (data.length === 0) return tookMs;
    if (tookMs > withinMs) throw new Error(`${data.length} holds are left after ${tookMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What every envelope of the agent has committed; nothing may be under way. */
export async function readSpent(gateway: GatewayProcess, round: number): Promise<Spent> {
  const { data } = (await read(gateway, '/v1/budget', gateway.key)) as {
    data: { envelope: string; label: string; unit: string; spent: string | number }[];
  };
  const envelopes = data.map(({ envelope, label, unit, spent }) => ({
    ...{ envelope, label },
    spent: unit === 'usd' ? Math.round(Number(spent) * 1e9) : Number(spent),
  }));
  return { round, envelopes };
}

async function read(gateway: GatewayProcess, path: string, key: string): Promise<unknown> {
  const response = await fetch(`${gateway.url}${path}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  if (response.status !== 200) throw new Error(`${path}: ${await response.text()}`);
  return response.json();
}
