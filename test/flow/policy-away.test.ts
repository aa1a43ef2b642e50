// Tiers of one gateway while PostgreSQL or Redis is away: what was decided last stays in force, a
// model outside the tier is refused as ever, and one inside it only as long as nothing can be held.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { connectPostgres, freshPostgres } from '../support/databases.js';
import { answering, type Story, startStory } from '../support/gateway.js';
import { admin, call } from '../support/policy.js';
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
  redis = await startRedis(join(folder, 'redis'));
  toRedis = await openWire(redis.url);
  const fresh = await freshPostgres();
  toSql = await openWire(fresh.url ?? '');
  const database = connectPostgres(toSql.url);
  const drop = async () => {
    await database.close();
    await fresh.drop();
  };
  story = await startStory({
    database: { database, drop },
    limits: [{ scope: 'global', amount_usd: 100, period: 'monthly' }],
    config: {
      redis_url: toRedis.url,
      models: { fast: 'scripted/model', smart: 'scripted/model' },
      projects: [{ name: 'demo' }, { name: 'other' }],
      agents: [
        { name: 'coder-1', type: 'coder', project: 'demo', tier: 4 },
        { name: 'coder-2', type: 'coder', project: 'other', tier: 4 },
      ],
    },
  });
  story.upstream.plan(answering({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }));
}, 60_000);

afterAll(async () => {
  await toRedis.mend();
  await toSql.mend();
  await story.end();
  await toRedis.close();
  await toSql.close();
  await redis.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

const OUTSIDE = [403, 'model_not_allowed'];
const may = async (who: Pick<Story, 'openai'>) => {
  const as = { ...story, openai: who.openai };
  return { fast: await call(as, { model: 'fast' }), smart: await call(as, { model: 'smart' }) };
};

test('an override that comes and goes is in force at once, with SQL away and with Redis away', async () => {
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
