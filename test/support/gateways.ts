// Several gateways over one Redis and one PostgreSQL, each with a data directory and connections of
// its own, before one scripted upstream. When it ends, the books are checked.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { compose, type Gateway } from '#src/compose.js';
import { loadConfig } from '#src/config.js';
import type { Database } from '#src/drivers/database.js';
import { openLog } from '#src/drivers/log.js';
import { assertBooksBalance } from './books.js';
import { connectPostgres, freshPostgres } from './databases.js';
import { startRedis } from './programs.js';
import { openScriptedUpstream, type ScriptedUpstream } from './scripted-upstream.js';

export interface Gateways {
  all: readonly Gateway[];
  database: Database;
  upstream: ScriptedUpstream;
  key: string;
  adminKey: string;
  /** The body of what was done by way of one gateway; fails where it was refused. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came.
  admin(method: string, path: string, body?: unknown, by?: Gateway): Promise<any>;
  rows(): Promise<Record<string, unknown>[]>;
  end(): Promise<void>;
}

export async function startGateways(
  count: number,
  more: Record<string, unknown> = {},
): Promise<Gateways> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-gateways-'));
  const redis = await startRedis(join(folder, 'redis'));
  const fresh = await freshPostgres();
  const upstream = await openScriptedUpstream();
  const all: Gateway[] = [];
  for (let index = 0; index < count; index += 1) {
    const file = join(folder, `gateway-${index}.yaml`);
    const config = {
      listen: { host: '127.0.0.1', port: 0 },
      data_dir: join(folder, `data-${index}`),
      redis_url: redis.url,
      prices: { 'scripted/model': { input: 1, output: 4 } },
      projects: [{ name: 'demo' }],
      agents: [{ name: 'coder-1', type: 'coder', project: 'demo', tier: 4 }],
      limits: [],
      // A busy machine must not look like a ledger that is away.
      ledger: { lease_ms: 15_000, beat_ms: 1_000, reap_ms: 1_000, command_timeout_ms: 5_000 },
      ...more,
      providers: {
        sandbox: false,
        scripted: { dialect: 'openai', base_url: `${upstream.url}/v1`, allow_private: true },
      },
    };
    await writeFile(file, JSON.stringify(config));
    const database = connectPostgres(fresh.url ?? '');
    const rows = { database, described: 'test', close: () => database.close() };
    const log = openLog({ level: 'error', pretty: false, write: () => {} });
    const flags = { config: file };
    all.push(await compose(loadConfig({ env: {}, flags, cwd: folder }), { log, rows }));
  }
  const [first] = all;
  if (!first) throw new Error('There must be a gateway.');
  const { agentKey, adminKey = '' } = first.bootstrapped;
  const drained = () => Promise.all(all.map((gateway) => gateway.drained()));
  return {
    all,
    database: fresh.database,
    upstream,
    key: agentKey?.text ?? '',
    adminKey,
    async admin(method, path, body, by = first) {
      const answer = await fetch(`${by.operatorAddress}/admin/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const json = await answer.json();
      expect(answer.status, JSON.stringify(json)).toBeLessThan(300);
      return json;
    },
    async rows() {
      await drained();
      return fresh.database.query('select * from token_usage order by reservation_id');
    },
    async end() {
      try {
        await drained();
        expect((await first.ledger.state()).held, 'every hold has ended').toBe(0);
        await assertBooksBalance(fresh.database, first.ledger);
      } finally {
        for (const gateway of all) await gateway.stop(0);
        await upstream.close();
        await fresh.drop();
        await redis.stop();
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
