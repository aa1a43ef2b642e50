// A tier of service is held for at the dearest rate that the call leaves open, and booked at the
// rate of the tier that its answer reports.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Story, startStory } from '../support/gateway.js';

const TIERS = { flex: { input: 0.5, output: 2 }, priority: { input: 2, output: 8 } };
let story: Story;
beforeAll(async () => {
  const price = { input: 1, output: 4, service_tiers: TIERS };
  story = await startStory({ config: { prices: { 'scripted/gpt-4o-x': price } } });
});
afterAll(() => story.end());

const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 };
const chunk = (more: object) =>
  `data: ${JSON.stringify({ id: '1', object: 'chat.completion.chunk', ...more })}\n\n`;

function answer(tier: string | undefined, stream: boolean) {
  const told = tier === undefined ? {} : { service_tier: tier };
  const content = 'Hi';
  if (stream) {
    const choices = [{ index: 0, delta: { content }, finish_reason: 'stop' }];
    return {
      body: `${chunk({ choices, ...told })}${chunk({ choices: [], usage })}data: [DONE]\n\n`,
    };
  }
  const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
  return {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: '1', object: 'chat.completion', choices, usage, ...told }),
  };
}

test.each([
  // What is asked, what is reported; USD of a million that a token of answer is held and booked at.
  [undefined, 'default', 4, 4],
  ['priority', 'priority', 8, 8],
  ['priority', 'default', 8, 4],
  ['flex', 'flex', 4, 2],
  ['auto', 'priority', 8, 8],
  [undefined, 'flex', 4, 2],
  [undefined, 'scale', 4, 4],
])('asked for %s and answered at %s', async (asked, told, held, booked) => {
  for (const stream of [false, true]) {
    story.upstream.enqueue(answer(told, stream));
    const response = await story.post({
      ...{ model: 'scripted/gpt-4o-x', max_tokens: 100, stream },
      ...(asked && { service_tier: asked }),
      messages: [{ role: 'user', content: 'x' }],
    });
    await response.text();
    const row = (await story.rows()).at(-1)!;
    expect(Number(row.cost_usd)).toBeCloseTo((10 * (booked / 4) + 5 * booked) / 1e6, 9);
    // 8 tokens of prompt, 100 of answer.
    const hold = Number(response.headers.get('x-purser-held-usd'));
    expect(hold).toBeCloseTo((8 * (held / 4) + 100 * held) / 1e6, 9);
    const { anomalies } = row.metadata as { anomalies?: string[] };
    const marks = told === 'scale' ? ['service_tier: scale was priced as default'] : undefined;
    expect(anomalies).toEqual(marks);
  }
});
