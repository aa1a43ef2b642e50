// One gateway while PostgreSQL or Redis is away. Tiers: what was decided last stays in force, a
// model outside the tier is refused as ever, and one inside it only as long as nothing can be held.
// Budgets that say `on_ledger_down: continue`: their calls go on, and are booked afterwards.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { connectPostgres, freshPostgres } from '../support/databases.js';
import { answering, type Story, type StoryOptions, startStory } from '../support/gateway.js';
import { ASK, admin, call } from '../support/policy.js';
import { type Server, startRedis } from '../support/programs.js';
import { openWire, type Wire } from '../support/wire.js';

vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let redis: Server;
let toRedis: Wire;
let toSql: Wire;
let story: Story;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'purser-away-'));
});
beforeEach(async () => {
  redis = await startRedis(await mkdtemp(join(folder, 'redis-')));
  toRedis = await openWire(redis.url);
}, 60_000);
afterEach(async () => {
  await toRedis.mend();
  await toSql.mend();
  await ready();
  await story.end();
  await toRedis.close();
  await toSql.close();
  await redis.stop();
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

async function start(options: StoryOptions): Promise<void> {
  const fresh = await freshPostgres();
  toSql = await openWire(fresh.url ?? '');
  const database = connectPostgres(toSql.url);
  const drop = async () => {
    await database.close();
    await fresh.drop();
  };
  const config = { redis_url: toRedis.url, ...options.config };
  story = await startStory({ ...options, config, database: { database, drop } });
  story.upstream.plan(answering({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }));
}

const ready = () =>
  vi.waitUntil(async () => (await fetch(`${story.url}/readyz`)).status === 200, 20_000);

const OUTSIDE = [403, 'model_not_allowed'];
const may = async (who: Pick<Story, 'openai'>) => {
  const as = { ...story, openai: who.openai };
  return { fast: await call(as, { model: 'fast' }), smart: await call(as, { model: 'smart' }) };
};

test('an override that comes and goes is in force at once, with SQL away and with Redis away', async () => {
  await start({
    limits: [{ scope: 'global', amount_usd: 100, period: 'monthly' }],
    config: {
      models: { fast: 'scripted/model', smart: 'scripted/model' },
      projects: [{ name: 'demo' }, { name: 'other' }],
      agents: [
        { name: 'coder-1', type: 'coder', project: 'demo', tier: 4 },
        { name: 'coder-2', type: 'coder', project: 'other', tier: 4 },
      ],
    },
  });
  const agents = (await admin(story, 'GET', '/agents')).data as { id: string; name: string }[];
  const other = agents.find(({ name }) => name === 'coder-2');
  const { key } = await admin(story, 'POST', '/keys', { name: 'second', agent_id: other?.id });
  const elsewhere = { openai: new OpenAI({ apiKey: key, baseURL: `${story.url}/v1` }) };
  const projects = (await admin(story, 'GET', '/projects')).data as { id: string; name: string }[];
  const demo = projects.find(({ name }) => name === 'demo')?.id;

  await admin(story, 'PATCH', '/tiers/4', { allowed_models: ['fast'] });
  expect(await may(story)).toEqual({ fast: 200, smart: OUTSIDE });
  const override = { project_id: demo, tier: 4, allowed_models: ['smart'] };
  const { id } = await admin(story, 'POST', '/tier-overrides', override);
  expect(await may(story)).toEqual({ fast: OUTSIDE, smart: 200 });
  expect(await may(elsewhere), 'of a project that has none').toEqual({ fast: 200, smart: OUTSIDE });

  await toSql.cut();
  expect(await may(story), 'SQL is away').toEqual({ fast: OUTSIDE, smart: 200 });
  expect(await may(elsewhere), 'SQL is away').toEqual({ fast: 200, smart: OUTSIDE });
  const write = await story.admin('DELETE', `/tier-overrides/${id}`);
  expect(write.status, 'nothing is changed that cannot be written').toBe(503);
  await write.body?.cancel();
  await toRedis.cut();
  const held = [503, 'ledger_unavailable'];
  expect(await may(story), 'both are away').toEqual({ fast: OUTSIDE, smart: held });
  await toSql.mend();
  await admin(story, 'DELETE', `/tier-overrides/${id}`);
  expect(await may(story), 'Redis is away').toEqual({ fast: held, smart: OUTSIDE });
  await toRedis.mend();
  await vi.waitUntil(async () => (await call(story, { model: 'fast' })) === 200, 20_000);
  expect(await may(story)).toEqual({ fast: 200, smart: OUTSIDE });
});

test('with Redis away calls go on where every budget says so, and are booked when it is back', async () => {
  const total = { amount_requests: 5, period: 'ever' };
  await start({ limits: [{ scope: 'global', ...total, on_ledger_down: 'continue' }] });
  const before = { ...answering({ prompt_tokens: 10, completion_tokens: 5 }), hold: true };
  expect(await call(story)).toBe(200);
  await toRedis.cut();
  const statuses = [];
  for (let index = 0; index < 6; index += 1) statuses.push(await call(story));
  expect(statuses, 'nothing can be counted, so nothing is refused').toEqual(Array(6).fill(200));
  // One that is under way when Redis comes back is nobody's lost hold.
  story.upstream.enqueue(before);
  const passing = story.post(ASK);
  await story.upstream.received(8);
  await toRedis.mend();
  await ready();
  story.upstream.release();
  expect((await passing).status).toBe(200);
  const rows = await story.rows();
  expect(rows).toHaveLength(8);
  expect(new Set(rows.map(({ kind, outcome }) => `${kind} ${outcome}`))).toEqual(
    new Set(['base completed']),
  );
  const { data } = await story.openai.get<{ data: { spent: string }[] }>('/budget');
  expect(data).toMatchObject([{ spent: 8 }]);
  expect(await call(story)).toEqual([402, 'budget_exceeded']);

  const mixed = { scope_type: 'agent_type', scope_agent_type: 'coder', ...total };
  await admin(story, 'POST', '/limits', { ...mixed, amount_requests: 50 });
  await toRedis.cut();
  expect(await call(story), 'one that refuses speaks for all').toEqual([503, 'ledger_unavailable']);
});
