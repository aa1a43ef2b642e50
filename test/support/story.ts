// A whole gateway for a story, for tests and trials alike: real listeners, a scripted upstream, a
// database, the real `openai` client. When the story ends, the books are checked.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { compose, type Gateway } from '#src/compose.js';
import { loadConfig } from '#src/config.js';
import type { Clock } from '#src/core/clock.js';
import type { Database } from '#src/drivers/database.js';
import { openLog } from '#src/drivers/log.js';
import { assertBooksBalance } from './books.js';
import type { FreshDatabase, KINDS } from './databases.js';
import { openScriptedUpstream, type ScriptedUpstream } from './scripted-upstream.js';

export interface StoryOptions {
  /** Sections of the configuration beside providers and agents; YAML or JSON values. */
  config?: Record<string, unknown>;
  limits?: readonly Record<string, unknown>[];
  /** Further providers, each pointing to the scripted upstream. */
  providers?: readonly string[];
  /** Providers by name with their dialect, likewise. */
  dialects?: Readonly<Record<string, 'openai' | 'anthropic'>>;
  /** A kind, or one that the test has made; it is migrated, and dropped at the end. */
  database?: (typeof KINDS)[number] | FreshDatabase;
  env?: Record<string, string>;
  /** The real one unless told. */
  clock?: Clock;
}

export interface Story {
  gateway: Gateway;
  database: Database;
  upstream: ScriptedUpstream;
  url: string;
  /** The first agent's key, and the operator's. */
  key: string;
  adminKey: string;
  openai: OpenAI;
  /** Lines that the gateway logged, parsed. */
  log: Record<string, unknown>[];
  /** POSTs a chat completion and answers the raw response. */
  post(body: unknown, headers?: Record<string, string>): Promise<Response>;
  admin(method: string, path: string, body?: unknown): Promise<Response>;
  /** Rows of `token_usage`, oldest first, once all that ended is drained. */
  rows(): Promise<Record<string, unknown>[]>;
  /** Stops the gateway and checks that the books balance. */
  end(): Promise<void>;
}

const TEST_PRICES = { input: 1, output: 4 };

export async function openStory(options: StoryOptions, fresh: FreshDatabase): Promise<Story> {
  const folder = await mkdtemp(join(tmpdir(), 'purser-story-'));
  const upstream = await openScriptedUpstream();
  const { dialects = {} } = options;
  const names = ['scripted', ...(options.providers ?? []), ...Object.keys(dialects)];
  const provider = (name: string) => [
    name,
    {
      dialect: dialects[name] ?? 'openai',
      base_url: `${upstream.url}/${name}${dialects[name] === 'anthropic' ? '' : '/v1'}`,
      allow_private: true,
    },
  ];
  const config = {
    listen: { host: '127.0.0.1', port: 0 },
    data_dir: join(folder, 'data'),
    log: { level: 'debug' },
    prices: Object.fromEntries(names.map((name) => [`${name}/model`, TEST_PRICES])),
    projects: [{ name: 'demo' }],
    agents: [{ name: 'coder-1', type: 'coder', project: 'demo' }],
    limits: options.limits ?? [{ scope: 'global', amount_usd: 100, period: 'monthly' }],
    ledger: { lease_ms: 2000, beat_ms: 200, reap_ms: 200 },
    ...options.config,
    providers: {
      sandbox: false,
      ...Object.fromEntries(names.map(provider)),
      ...(options.config?.providers as object | undefined),
    },
  };
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, JSON.stringify(config));
  const lines: Record<string, unknown>[] = [];
  const log = openLog({
    level: 'debug',
    pretty: false,
    write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const gateway = await compose(
    loadConfig({ env: options.env ?? {}, flags: { config: file }, cwd: folder }),
    {
      log,
      ...(options.clock && { clock: options.clock }),
      rows: { database: fresh.database, described: 'test', close: async () => {} },
    },
  );
  const { agentKey, adminKey } = gateway.bootstrapped;
  const key = agentKey?.text ?? '';
  return {
    gateway,
    database: fresh.database,
    upstream,
    url: gateway.address,
    key,
    adminKey: adminKey ?? '',
    openai: new OpenAI({ apiKey: key, baseURL: `${gateway.address}/v1` }),
    log: lines,
    post: (body, headers = {}) =>
      fetch(`${gateway.address}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    admin: (method, path, body) =>
      fetch(`${gateway.operatorAddress}/admin/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async rows() {
      await gateway.drained();
      return fresh.database.query('select * from token_usage order by reservation_id');
    },
    async end() {
      try {
        await gateway.drained();
        const state = await gateway.ledger.state();
        assert.equal(state.held, 0, 'every hold has ended');
        await assertBooksBalance(fresh.database, gateway.ledger);
      } finally {
        await gateway.stop(0);
        await upstream.close();
        await fresh.drop();
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}
