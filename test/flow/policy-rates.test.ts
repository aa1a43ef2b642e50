// Limits by project, type and rate, over HTTP with the real client: warnings, refusals, headers.

import OpenAI from 'openai';
import { afterEach, expect, test, vi } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';
import { admin, type Heard, heard } from '../support/policy.js';

vi.setConfig({ testTimeout: 60_000 });

let story: Story;
afterEach(() => story.end());

const PLAN = answering({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 });

test('a project is warned at 80 % and refused at 100 %; a type of agents has its own limit', async () => {
  story = await startStory({
    limits: [
      { scope: 'project', project: 'demo', amount_tokens: 1_000, period: 'daily', name: 'demo' },
      { scope: 'agent_type', agent_type: 'coder', amount_requests: 11, period: 'daily' },
    ],
  });
  story.upstream.plan(answering({ prompt_tokens: 99, completion_tokens: 1, total_tokens: 100 }));
  const warnings: (string | null)[] = [];
  let refused: Heard | undefined;
  for (let index = 0; index < 12 && !refused; index += 1) {
    const short = { messages: [{ role: 'user', content: 'x' }], max_tokens: 1 };
    const answer = await heard(story.openai, short);
    if (answer.status === 402) refused = answer;
    else warnings.push(answer.headers.get('x-purser-budget-warning'));
  }
  expect(warnings).toEqual([...Array(7).fill(null), '0.8', '0.8', '0.8']);
  expect(refused?.code).toBe('budget_exceeded');
  expect(refused?.headers.get('x-purser-budget-scope')).toBe('project:demo');
  expect(refused?.headers.get('x-should-retry')).toBe('false');
  const rest = Number(refused?.headers.get('retry-after'));
  expect(rest, 'until the next day').toBeGreaterThan(0);
  expect(rest).toBeLessThanOrEqual(86_400);

  const clientOf = async (type: string) => {
    const agent = await admin(story, 'POST', '/agents', { name: type, type });
    const { key } = await admin(story, 'POST', '/keys', { name: type, agent_id: agent.id });
    return new OpenAI({ apiKey: key, baseURL: `${story.url}/v1` });
  };
  const [coder, tester] = [await clientOf('coder'), await clientOf('tester')];
  expect((await heard(coder)).status, 'the 11th of its type, of no project').toBe(200);
  expect(await heard(coder)).toMatchObject({ status: 402, code: 'budget_exceeded' });
  expect((await heard(tester)).status, 'neither of that project nor of that type').toBe(200);
});

test('requests and tokens a minute, and calls at once, by the headers that clients know', async () => {
  story = await startStory({
    limits: [
      { scope: 'agent', agent: 'coder-1', amount_requests: 2, period: 'minutely' },
      { scope: 'agent', agent: 'coder-1', amount_tokens: 100_000, period: 'minutely' },
      { scope: 'agent', agent: 'coder-1', amount_concurrency: 1 },
    ],
  });
  story.upstream.enqueue({ ...PLAN, hold: true });
  story.upstream.plan(PLAN);
  // Both calls must fall into one minute.
  const restMs = 60_000 - (Date.now() % 60_000);
  if (restMs < 15_000) await new Promise((done) => setTimeout(done, restMs));
  const first = heard(story.openai);
  await story.upstream.received(1);
  expect(await heard(story.openai)).toMatchObject({ status: 429, code: 'concurrency_limit' });
  story.upstream.release();
  const answer = await first;
  expect(answer.status).toBe(200);
  expect(answer.headers.get('x-ratelimit-limit-requests')).toBe('2');
  expect(answer.headers.get('x-ratelimit-remaining-requests')).toBe('1');
  expect(answer.headers.get('x-ratelimit-limit-tokens')).toBe('100000');
  expect(answer.headers.get('x-ratelimit-remaining-tokens')).toBe('99985');
  expect(answer.headers.get('x-ratelimit-reset-tokens')).toMatch(/^(\d+m)?\d+s$/);
  expect((await heard(story.openai)).status).toBe(200);
  const third = await heard(story.openai);
  expect(third).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(third.headers.get('retry-after'))).toBeLessThanOrEqual(60);

  const slow = await admin(story, 'POST', '/agents', { name: 'slow', type: 'tester' });
  const { key } = await admin(story, 'POST', '/keys', { name: 'slow', agent_id: slow.id });
  const pace = { scope_type: 'agent', scope_id: slow.id, amount_tokens: 200, period: 'minutely' };
  await admin(story, 'POST', '/limits', pace);
  const client = new OpenAI({ apiKey: key, baseURL: `${story.url}/v1` });
  const paced: Heard[] = [];
  for (let calls = 0; calls < 20 && paced.at(-1)?.status !== 429; calls += 1) {
    paced.push(await heard(client));
  }
  // Each uses 15 of 200, and may need more than that.
  expect(paced.length).toBeGreaterThan(1);
  const last = paced.at(-1);
  expect(last).toMatchObject({ status: 429, code: 'rate_limit_exceeded' });
  expect(last?.headers.get('x-ratelimit-limit-tokens')).toBe('200');
  const left = 200 - 15 * (paced.length - 1);
  expect(last?.headers.get('x-ratelimit-remaining-tokens')).toBe(`${left}`);
  expect(Number(last?.headers.get('retry-after'))).toBeGreaterThan(0);
});
