// Tiers over HTTP with the real client: what agents of a tier may use, otherwise in one project,
// with SQL away; the defaults of an agent's calls.

import { afterEach, expect, test, vi } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';
import { ASK, admin, call, refusal } from '../support/policy.js';

vi.setConfig({ testTimeout: 60_000 });

let story: Story;
afterEach(() => story.end());

const USAGE = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };

test('a tier limits models and gives budgets; a project may have it otherwise', async () => {
  story = await startStory({
    limits: [],
    config: {
      models: { fast: 'scripted/model', smart: 'scripted/model' },
      agents: [{ name: 'coder-1', type: 'coder', project: 'demo', tier: 4 }],
    },
  });
  story.upstream.plan(answering(USAGE));
  const tiers = await admin(story, 'GET', '/tiers');
  expect(tiers.data.map((row: { access_level: string }) => row.access_level)).toEqual(
    ['free', 'pro', 'enterprise'].flatMap((level) => [level, level, level]),
  );
  expect(await call(story, { model: 'smart' }), 'nothing is said of models yet').toBe(200);

  const fast = {
    allowed_models: ['fast'],
    default_limits: [{ amount_requests: 2, period: 'ever' }],
  };
  await admin(story, 'PATCH', '/tiers/4', fast);
  const refused = await story.post({ ...ASK, model: 'smart' });
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({
    error: { code: 'model_not_allowed', metadata: { allowed: 'fast' } },
  });
  const listed = await story.openai.models.list();
  expect(listed.data.map(({ id }) => id)).toEqual(['fast']);
  expect(await call(story, { model: 'scripted/model' })).toEqual([403, 'model_not_allowed']);
  expect(await call(story, { model: 'fast' })).toBe(200);

  const project = (await admin(story, 'GET', '/projects')).data[0].id;
  const override = {
    project_id: project,
    tier: 4,
    allowed_models: ['smart'],
    default_limits: null,
  };
  const { id } = await admin(story, 'POST', '/tier-overrides', override);
  expect(await call(story, { model: 'fast' })).toEqual([403, 'model_not_allowed']);
  expect(await call(story, { model: 'smart' })).toBe(200);
  expect(await call(story, { model: 'smart' }), 'two by the tier').toEqual([
    402,
    'budget_exceeded',
  ]);
  await admin(story, 'PATCH', `/tier-overrides/${id}`, {
    default_limits: [{ amount_requests: 3, period: 'ever' }],
  });
  expect(await call(story, { model: 'smart' })).toBe(200);
  expect(await call(story, { model: 'smart' })).toEqual([402, 'budget_exceeded']);
  await admin(story, 'DELETE', `/tier-overrides/${id}`);
  expect(await call(story, { model: 'smart' })).toEqual([403, 'model_not_allowed']);
  expect(await call(story, { model: 'fast' }), 'the lower limit again').toEqual([
    402,
    'budget_exceeded',
  ]);

  expect(await refusal(story, 'POST', '/tier-overrides', { ...override, tier: 10 })).toBe(
    '400 tier',
  );
  expect(await refusal(story, 'PATCH', '/tiers/0', {})).toBe('404 not_found');
  const many = Array(8).fill({ amount_tokens: 1, period: 'daily' });
  await admin(story, 'PATCH', '/tiers/4', { default_limits: many });
  const limit = {
    scope_type: 'agent_type',
    scope_agent_type: 'coder',
    amount_usd: 1,
    period: 'daily',
  };
  for (let index = 0; index < 8; index += 1) {
    await admin(story, 'POST', '/limits', { ...limit, name: `limit ${index}` });
  }
  expect(await refusal(story, 'POST', '/limits', limit), 'the 17th').toBe('400 invalid_value');
});

test("what the client leaves out, the agent's model_config says", async () => {
  story = await startStory({
    config: {
      models: { fast: 'scripted/model' },
      agents: [
        {
          name: 'coder-1',
          type: 'coder',
          project: 'demo',
          model_config: { model: 'fast', temperature: 0.25, max_tokens: 33 },
        },
      ],
    },
  });
  story.upstream.plan(answering(USAGE));
  const text = '{ "messages": [{"role":"user","content":"Hi"}], "seed": 12345678901234567890 }';
  expect((await story.post(text)).status).toBe(200);
  const own = { ...ASK, temperature: 1, model: 'scripted/model' };
  expect((await story.post(own)).status).toBe(200);
  const [first, second] = story.upstream.requests;
  expect(first?.body).toContain('"seed": 12345678901234567890');
  expect(JSON.parse(first?.body ?? '')).toMatchObject({
    model: 'model',
    temperature: 0.25,
    max_tokens: 33,
  });
  expect(JSON.parse(second?.body ?? '')).toMatchObject({ temperature: 1, max_tokens: 20 });
});

test('a quote says what a call would be told, and holds nothing', async () => {
  story = await startStory({
    limits: [
      { scope: 'global', amount_requests: 1, period: 'daily' },
      { scope: 'agent', agent: 'coder-1', amount_usd: 1, period: 'daily', visible: false },
    ],
  });
  story.upstream.plan(answering(USAGE));
  const quote = async () => {
    const answer = await fetch(`${story.url}/v1/budget/quote`, {
      method: 'POST',
      headers: { authorization: `Bearer ${story.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(ASK),
    });
    return (await answer.json()) as Record<string, unknown>;
  };
  const first = await quote();
  expect(first).toMatchObject({ admitted: true, reason: null, output_tokens_bound: 20 });
  expect(first.envelopes).toMatchObject([{ scope: 'global', needed: 1, fits: true }]);
  expect((await story.gateway.ledger.state()).held).toBe(0);
  const answer = await story.post(ASK);
  expect(answer.headers.get('x-purser-held-usd')).toBe(first.held_usd);
  expect(await quote()).toMatchObject({ admitted: false, reason: 'budget_exceeded' });
  expect(story.upstream.requests).toHaveLength(1);
});
