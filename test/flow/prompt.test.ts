// Each way to a fitted prompt, over HTTP with rows asserted, on both databases.

import { expect, test } from 'vitest';
import { KINDS } from '../support/databases.js';
import { answering, type Story, type StoryOptions, startStory } from '../support/gateway.js';

const USAGE = { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 };
const turn = (role: string, words: number) => ({ role, content: 'word '.repeat(words) });
const LONG = [
  { role: 'system', content: 'Be brief.' },
  ...[turn('user', 60), turn('assistant', 60), turn('user', 4), turn('assistant', 4)],
  { role: 'user', content: 'And now?' },
];

function story(
  name: string,
  body: (story: Story) => Promise<void>,
  options: StoryOptions = {},
): void {
  for (const database of KINDS) {
    test(`${name} (${database})`, async () => {
      const opened = await startStory({ ...options, database });
      try {
        await body(opened);
      } finally {
        await opened.end();
      }
    }, 60_000);
  }
}

const agentWith = (prompt_policy: object, more: object = {}) => ({
  config: {
    agents: [{ name: 'coder-1', type: 'coder', project: 'demo', model_config: { prompt_policy } }],
    ...more,
  },
});

async function ask({ post, upstream }: Story, body: object): Promise<Response> {
  upstream.plan(answering(USAGE));
  return post({ model: 'scripted/model', ...body });
}

const sent = ({ upstream }: Story) => JSON.parse(upstream.requests.at(-1)!.body);

async function errorOf(answer: Response, member: string): Promise<unknown> {
  const body = (await answer.json()) as { error: Record<string, unknown> };
  return body.error[member];
}

/** Each turn's figures, and its snapshot once so many are written and know their turns. */
async function rowsOf(
  { database, rows }: Story,
  snapshots: number,
): Promise<Record<string, unknown>[]> {
  await rows();
  const known = 'select id from prompt_snapshots where turn_id is not null';
  await expect.poll(() => database.query(known), { timeout: 20_000 }).toHaveLength(snapshots);
  return database.query(
    `select s.*, m.tokens_before, m.tokens_after, m.trims_count, m.top_keys, m.rejects
     from turns join turn_metrics m on m.turn_id = turns.id
     left join prompt_snapshots s on s.turn_id = turns.id`,
  );
}

story('a call that names a budget loses its oldest exchange', async (one) => {
  const answer = await ask(one, { messages: LONG, purser: { max_prompt_tokens: 400 } });
  expect(answer.status).toBe(200);
  expect(sent(one).messages).toEqual([LONG[0], ...LONG.slice(3)]);
  expect(sent(one)).not.toHaveProperty('purser');
  const after = Number(answer.headers.get('x-purser-prompt-tokens'));
  expect(after).toBeLessThanOrEqual(400);
  expect(answer.headers.get('x-purser-trimmed')).toMatch(/^"history";tokens=\d+;chars=600$/);
  const [row] = await rowsOf(one, 1);
  const [trim] = (row!.budget_report as { trims: { removed_tokens: number }[] }).trims;
  expect(row).toMatchObject({
    tokens_after: after,
    tokens_before: after + trim!.removed_tokens,
    trims_count: 1,
    top_keys: [{ key: 'history', removed_tokens: trim!.removed_tokens }],
    rejects: 0,
    prompt: null,
    template_id: null,
  });
  expect(row!.prompt_hash).toMatch(/^[0-9a-f]{64}$/);
});

story('a template of the admin API makes the prompt', async (one) => {
  const make = async (path: string, body: object) => {
    const answer = await one.admin('POST', path, body);
    expect(answer.status).toBe(201);
    return (await answer.json()) as { id: string };
  };
  await make('/slots', { key: 'house', category: 'rules', content: 'Name your units.' });
  const slots = ['house', 'history', 'input'];
  const { id } = await make('/templates', { name: 'review', slots });
  const messages = [{ role: 'user', content: 'Review this.' }];
  const purser = { template: 'review', slots: { input: '+ limitUsd' } };
  expect((await ask(one, { messages, purser })).status).toBe(200);
  expect(sent(one).messages).toEqual([
    { role: 'system', content: 'Name your units.' },
    messages[0],
    { role: 'user', content: '+ limitUsd' },
  ]);
  const [row] = await rowsOf(one, 1);
  expect(row).toMatchObject({ template_id: id, trims_count: 0, top_keys: [] });
  const wrong = await ask(one, { messages, purser: { template: 'reveiw' } });
  expect([wrong.status, await errorOf(wrong, 'param')]).toEqual([400, 'purser.template']);
});

story(
  "an agent's policy trims what no longer fits",
  async (one) => {
    expect((await ask(one, { messages: LONG })).status).toBe(200);
    expect(sent(one).messages).toEqual([LONG[0], ...LONG.slice(3)]);
    expect(await rowsOf(one, 1)).toMatchObject([{ trims_count: 1 }]);
    const solid = [turn('system', 300), turn('user', 300)];
    const refused = await ask(one, { messages: solid });
    expect([refused.status, await errorOf(refused, 'code')]).toEqual([
      400,
      'context_length_exceeded',
    ]);
  },
  agentWith({ max_prompt_tokens: 400, fallback: 'refuse' }),
);

const WINDOW = {
  prices: { 'scripted/gpt-4o': { input: 1, output: 4, context_tokens: 120 } },
};

story(
  "a conversation that outgrew the model's window is trimmed where the agent wants it",
  async (one) => {
    const call = { model: 'scripted/gpt-4o', max_tokens: 20 };
    expect((await ask(one, { ...call, messages: LONG })).status).toBe(200);
    expect(sent(one).messages).toEqual([LONG[0], ...LONG.slice(3)]);
    const [row] = await rowsOf(one, 1);
    expect(row).toMatchObject({ trims_count: 1, rejects: 0 });
    expect(Number(row!.tokens_before)).toBeGreaterThan(120);
    expect(Number(row!.tokens_after)).toBeLessThanOrEqual(100);
  },
  agentWith({ fit_window: true }, WINDOW),
);

story(
  'a conversation that outgrew the window is refused where the agent says nothing',
  async (one) => {
    const refused = await ask(one, { model: 'scripted/gpt-4o', max_tokens: 20, messages: LONG });
    expect([refused.status, await errorOf(refused, 'code')]).toEqual([
      400,
      'context_length_exceeded',
    ]);
    expect(one.upstream.requests).toEqual([]);
  },
  { config: WINDOW },
);

story('what fitting saved is in the row and in the reports', async (one) => {
  expect((await ask(one, { messages: LONG, purser: { max_prompt_tokens: 400 } })).status).toBe(200);
  const [row] = await one.rows();
  const [fitted] = await rowsOf(one, 1);
  const saved = Number(fitted!.tokens_before) - Number(fitted!.tokens_after);
  expect(saved).toBeGreaterThan(0);
  // A dollar a million tokens: a thousand nano-dollars each.
  const savedUsd = (saved / 1e6).toFixed(9);
  expect(row).toMatchObject({ tokens_saved: saved, saved_usd: savedUsd });
  const report = await one.admin('GET', '/usage?group_by=agent');
  expect(await report.json()).toMatchObject({
    data: [{ agent: 'coder-1', calls: 1, tokens_saved: saved, saved_usd: savedUsd }],
    total: { tokens_saved: saved, saved_usd: savedUsd },
  });
});

story('a call that wishes nothing is sent as it came, and leaves no snapshot', async (one) => {
  const answer = await ask(one, { messages: LONG });
  expect(answer.headers.has('x-purser-prompt-tokens')).toBe(false);
  expect(sent(one).messages).toEqual(LONG);
  expect(await rowsOf(one, 0)).toMatchObject([{ id: null, tokens_before: null, trims_count: 0 }]);
});
