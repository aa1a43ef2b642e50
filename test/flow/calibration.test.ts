// A model without a public tokenizer is held for by what its provider told of it, but for limits
// that may never be over.

import { afterEach, expect, test } from 'vitest';
import { freshDatabase } from '../support/databases.js';
import { answering, type Story, startStory } from '../support/gateway.js';

let story: Story;
afterEach(() => story.end());

const PROMPT = 'Please say hello to everybody who is here today. '.repeat(40);
const ask = {
  model: 'scripted/model',
  max_tokens: 10,
  messages: [{ role: 'user', content: PROMPT }],
};
const USAGE = { prompt_tokens: 420, completion_tokens: 5, total_tokens: 425 };

const heldTokens = async (): Promise<number> => {
  story.upstream.plan(answering(USAGE));
  const response = await story.post(ask);
  await response.text();
  // A token of the prompt is 1 of a million USD; the answer's bound is 10 tokens at 4.
  return Math.round(Number(response.headers.get('x-purser-held-usd')) * 1e6) - 40;
};

test.each([
  ['is held for at a quarter of a token a byte, as it was told', false],
  ['is held for by its bytes where a limit is strict', true],
])('a prompt %s', async (_, strict) => {
  const fresh = await freshDatabase('postgres');
  await fresh.database.run(
    `insert into calibrations (target, bucket, seen) values ('scripted/model', 125, 1000)`,
  );
  const limit = { scope: 'global', amount_usd: 100, period: 'monthly', strict };
  story = await startStory({ database: fresh, limits: [limit] });
  const held = await heldTokens();
  const bytes = Buffer.byteLength(PROMPT);
  if (strict) expect(held).toBeGreaterThanOrEqual(bytes);
  else {
    expect(held).toBeGreaterThan(bytes * 0.25);
    expect(held).toBeLessThan(bytes * 0.25 * 1.05 + 100);
  }
  const metrics = await (await fetch(`${story.url}/metrics`)).text();
  expect(metrics).toMatch(/purser_tokens_per_byte\{[^}]*model="model"[^}]*\} 0\.2625/);
  expect(metrics).toMatch(/purser_hold_efficiency_count\{[^}]*model="model"/);
});
