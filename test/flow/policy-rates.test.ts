// Limits by project, type and rate, over HTTP with the real client: warnings, refusals, headers.

import { afterEach, expect, test, vi } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';
import { ASK, admin, call } from '../support/policy.js';

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
  let refused: Response | undefined;
  for (let index = 0; index < 12 && !refused; index += 1) {
    const answer = await story.post({
      ...ASK,
      messages: [{ role: 'user', content: 'x' }],
      max_tokens: 1,
    });
    await answer.text();
    if (answer.status === 402) refused = answer;
    else warnings.push(answer.headers.get('x-purser-budget-warning'));
  }
  expect(warnings).toEqual([...Array(7).fill(null), '0.8', '0.8', '0.8']);
  expect(refused?.headers.get('x-purser-budget-scope')).toBe('project:demo');
  expect(refused?.headers.get('x-should-retry')).toBe('false');

  const keyOf = async (type: string) => {
    const agent = await admin(story, 'POST', '/agents', { name: type, type });
    const { key } = await admin(story, 'POST', '/keys', { name: type, agent_id: agent.id });
    return { authorization: `Bearer ${key}` };
  };
  const [coder, tester] = [await keyOf('coder'), await keyOf('tester')];
  const ask = async (headers: Record<string, string>) => {
    const answer = await story.post(ASK, headers);
    await answer.text();
    return answer;
  };
  expect((await ask(coder)).status, 'the 11th of its type, of no project').toBe(200);
  const typed = await ask(coder);
  expect(typed.status).toBe(402);
  expect((await ask(tester)).status, 'neither of that project nor of that type').toBe(200);
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
  const first = story.post(ASK);
  await story.upstream.received(1);
  const crowded = await story.post(ASK);
  expect(crowded.status).toBe(429);
  expect(await crowded.json()).toMatchObject({ error: { code: 'concurrency_limit' } });
  story.upstream.release();
  const answer = await first;
  expect(answer.status).toBe(200);
  await answer.text();
  expect(answer.headers.get('x-ratelimit-limit-requests')).toBe('2');
  expect(answer.headers.get('x-ratelimit-remaining-requests')).toBe('1');
  expect(answer.headers.get('x-ratelimit-limit-tokens')).toBe('100000');
  expect(answer.headers.get('x-ratelimit-remaining-tokens')).toBe('99985');
  expect(answer.headers.get('x-ratelimit-reset-tokens')).toMatch(/^(\d+m)?\d+s$/);
  expect(await call(story)).toBe(200);
  const third = await story.post(ASK);
  expect(third.status).toBe(429);
  expect(await third.json()).toMatchObject({ error: { code: 'rate_limit_exceeded' } });
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(third.headers.get('retry-after'))).toBeLessThanOrEqual(60);
});
