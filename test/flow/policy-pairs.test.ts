// What a person may spend on an occasion, in EUR while the rate changes: over HTTP with the real
// client, and by hand.

import { afterEach, expect, test, vi } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';
import { admin, call, refusal } from '../support/policy.js';

vi.setConfig({ testTimeout: 60_000 });

let story: Story;
afterEach(() => story.end());

const FOR = { 'x-purser-person': 'ada', 'x-purser-occasion': 'fair' };
const day = (offset: number) =>
  new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10);

test('a budget in EUR is held in USD at the rate in force, and spent in EUR', async () => {
  story = await startStory({ limits: [] });
  // 100 x 1 USD/M + 50 x 4 USD/M = 0.0003 USD a call
  story.upstream.plan(answering({ prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 }));
  const person = await admin(story, 'POST', '/persons', { name: 'Ada', external_id: 'ada' });
  const fair = await admin(story, 'POST', '/occasions', { name: 'Fair', external_id: 'fair' });
  const pair = { person_id: person.id, occasion_id: fair.id };
  const euro = { ...pair, budget_amount: '0.0005', budget_currency: 'EUR' };
  expect(await refusal(story, 'POST', '/person-occasions', euro), 'no rate').toBe(
    '400 budget_currency',
  );
  await admin(story, 'POST', '/exchange-rates', {
    currency: 'EUR',
    valid_from: day(1),
    usd_per_unit: 9,
  });
  expect(await refusal(story, 'POST', '/person-occasions', euro), 'only a later one').toBe(
    '400 budget_currency',
  );
  const csv = `currency,valid_from,usd_per_unit\nEUR,${day(-9)},2\nEUR,${day(-2)},1.25\n`;
  expect((await admin(story, 'POST', '/exchange-rates/csv', { csv })).data).toHaveLength(2);
  expect(await refusal(story, 'POST', '/exchange-rates/csv', { csv: 'EUR,x,1' })).toBe('400 csv');
  const { id } = await admin(story, 'POST', '/person-occasions', euro);

  // 0.0005 EUR x 1.25 = 0.000625 USD
  const budget = await story.openai.get<{ data: { limit: string }[] }>('/budget', { headers: FOR });
  expect(budget.data).toMatchObject([{ scope: 'person:ada&occasion:fair', limit: '0.000625' }]);
  expect(await call(story, {}, { 'x-purser-person': 'ada' }), 'of no occasion').toBe(200);
  expect(await call(story, {}, FOR)).toBe(200);
  await story.gateway.drained();
  const row = async () => admin(story, 'GET', `/person-occasions/${id}`);
  expect(await row()).toMatchObject({ budget_spent: '0.000240000', is_over: false });
  expect(await call(story, {}, FOR)).toBe(200);
  expect(await call(story, {}, FOR)).toEqual([402, 'budget_exceeded']);

  // The rate that begins today makes it worth more; what was spent stays as it was counted.
  await admin(story, 'POST', '/exchange-rates', {
    currency: 'EUR',
    valid_from: day(0),
    usd_per_unit: '2.5',
  });
  expect(await call(story, {}, FOR), '0.00125 USD').toBe(200);
  await story.gateway.drained();
  expect(await row()).toMatchObject({ budget_spent: '0.000600000', is_over: true });
  const over = await admin(story, 'GET', '/person-occasions?over=true');
  expect(over.data).toHaveLength(1);

  // By hand, as decimal as it was said.
  const spend = { amount: '0.0001', reason: 'a stamp' };
  await admin(story, 'POST', `/person-occasions/${id}/spend`, spend);
  await story.gateway.drained();
  expect(await row()).toMatchObject({ budget_spent: '0.000700000' });
  expect(await call(story, {}, FOR)).toEqual([402, 'budget_exceeded']);
  const rows = await story.rows();
  expect(rows.map(({ kind }) => kind)).toEqual(['base', 'base', 'base', 'base', 'adjust']);
  expect(rows.at(-1)?.metadata).toMatchObject({
    reason: 'a stamp',
    pair: { currency: 'EUR', usdPerUnit: '2.500000000', amount: '0.0001' },
  });

  await admin(story, 'PATCH', `/person-occasions/${id}`, { budget_amount: null });
  expect(await call(story, {}, FOR), 'counted without a limit').toBe(200);
  await story.gateway.drained();
  expect(await row()).toMatchObject({ budget_remaining: null, is_over: false });
  expect(
    await refusal(story, 'PATCH', `/person-occasions/${id}`, { budget_currency: 'USD' }),
    'what was spent is in EUR',
  ).toBe('400 budget_currency');
  const other = await admin(story, 'POST', '/persons', { name: 'Bob' });
  await admin(story, 'POST', '/person-occasions', { ...pair, person_id: other.id });
  const of = async (query: string) =>
    (await admin(story, 'GET', `/person-occasions?${query}`)).data.length as number;
  expect([await of(`occasion_id=${fair.id}`), await of(`person_id=${person.id}`)]).toEqual([2, 1]);
  expect(await refusal(story, 'DELETE', `/persons/${person.id}`)).toBe('400 invalid_value');
});

test('a spend that could not be committed is booked once when it is asked again', async () => {
  story = await startStory({ limits: [] });
  const person = await admin(story, 'POST', '/persons', { name: 'Ada' });
  const fair = await admin(story, 'POST', '/occasions', { name: 'Fair' });
  const { id } = await admin(story, 'POST', '/person-occasions', {
    ...{ person_id: person.id, occasion_id: fair.id, budget_amount: '1', budget_currency: 'USD' },
  });
  let told: { key: string | null; text: string } = { key: null, text: '' };
  const spend = async (key?: string): Promise<number> => {
    const answer = await fetch(
      `${story.gateway.operatorAddress}/admin/v1/person-occasions/${id}/spend`,
      {
        method: 'POST',
        headers: {
          authorization: `Bearer ${story.adminKey}`,
          ...(key !== undefined && { 'idempotency-key': key }),
          'content-type': 'application/json',
        },
        body: JSON.stringify({ amount: '0.25', reason: 'a stamp' }),
      },
    );
    told = { key: answer.headers.get('idempotency-key'), text: await answer.text() };
    return answer.status;
  };
  await story.database.run(`
    create function fail_at_commit() returns trigger language plpgsql as
      $$ begin raise exception 'the commit fails'; end $$;
    create constraint trigger fails after insert on audit_log deferrable initially deferred
      for each row execute function fail_at_commit();
  `);
  expect(await spend('k-1')).toBe(500);
  expect(told.key, 'who has a key needs none').toBeNull();
  expect(await spend()).toBe(500);
  const minted = told.key!;
  const { error } = JSON.parse(told.text);
  expect(error).toMatchObject({ code: 'internal_error', metadata: { idempotency_key: minted } });
  expect(error.message).toContain('Idempotency-Key');
  await story.database.run('drop trigger fails on audit_log');
  expect([await spend('k-1'), await spend('k-1'), await spend('k-2')]).toEqual([200, 200, 200]);
  expect([await spend(minted), await spend(minted)]).toEqual([200, 200]);
  await story.gateway.drained();
  const pair = await admin(story, 'GET', `/person-occasions/${id}`);
  expect(pair, 'three keys').toMatchObject({ budget_spent: '0.750000000' });
});
