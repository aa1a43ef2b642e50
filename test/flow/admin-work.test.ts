// What agents have noted, conversations and tasks, by the admin API on both databases; and values
// that a generated body has once made a gateway fail by.

import { beforeAll, expect } from 'vitest';
import { type Admin, openAdmin } from '../support/admin.js';
import { eachDatabase, warmPglite } from '../support/databases.js';

beforeAll(warmPglite, 120_000);

const story = (name: string, body: (admin: Admin) => Promise<void>) =>
  eachDatabase(name, async ({ database }) => {
    const admin = await openAdmin(database);
    try {
      await body(admin);
    } finally {
      await admin.close();
    }
  });

const PATH = '/admin/v1';

story('a note keeps any JSON as it was said, and goes for good', async (admin) => {
  const [agent] = (await admin.ask('GET', `${PATH}/agents`)).body.data;
  const values = [true, false, 0, 1.5, 'a "text"', '1', [1, 'b', null], { a: { b: [] } }];
  for (const [index, value] of values.entries()) {
    const note = { agent_id: agent.id, category: 'facts', key: `k${index}`, value };
    const made = await admin.ask('POST', `${PATH}/agent-memory`, note);
    expect([made.status, made.body.value, made.body.importance]).toEqual([201, value, 5]);
    const changed = { value: [value], importance: 10 };
    const again = await admin.ask('PATCH', `${PATH}/agent-memory/${made.body.id}`, changed);
    expect(again.body).toMatchObject(changed);
  }
  const first = { agent_id: agent.id, category: 'facts', key: 'k0', value: 'twice' };
  expect((await admin.ask('POST', `${PATH}/agent-memory`, first)).status).toBe(409);
  const importance = { ...first, key: 'new', importance: 11 };
  expect((await admin.ask('POST', `${PATH}/agent-memory`, importance)).body.error.param).toBe(
    'importance',
  );
  const list = await admin.ask('GET', `${PATH}/agent-memory?agent_id=${agent.id}&limit=5`);
  expect([list.body.data.length, list.body.has_more]).toEqual([5, true]);
  const { id } = list.body.data[0];
  expect((await admin.ask('DELETE', `${PATH}/agent-memory/${id}`)).status).toBe(200);
  expect((await admin.ask('GET', `${PATH}/agent-memory/${id}`)).status).toBe(404);
  const { data } = (await admin.ask('GET', `${PATH}/audit?limit=1`)).body;
  expect(data[0]).toMatchObject({
    action: 'delete',
    entity: 'agent memory',
    before: { key: 'k0' },
  });
});

story(
  'a conversation is archived; a task goes, unless something was spent for it',
  async (admin) => {
    const [agent] = (await admin.ask('GET', `${PATH}/agents`)).body.data;
    const talk = { type: 'task', title: 'Talk', external_id: 'c-1' };
    const nobody = await admin.ask('POST', `${PATH}/conversations`, talk);
    expect(nobody.status, 'somebody has begun it').toBe(400);
    const by = { ...talk, created_by_agent_id: agent.id };
    const made = await admin.ask('POST', `${PATH}/conversations`, by);
    expect(made.status).toBe(201);
    const gone = await admin.ask('DELETE', `${PATH}/conversations/${made.body.id}`);
    expect(gone.body.status).toBe('archived');

    const task = { title: 'Do it', project_id: agent.project_id };
    const [kept, free] = [
      await admin.ask('POST', `${PATH}/tasks`, { ...task, external_id: 't-1' }),
      await admin.ask('POST', `${PATH}/tasks`, task),
    ];
    await admin.database.query(
      `insert into token_usage (model, task_id, usage_date) values ('m', $1, '2026-11-21')`,
      [kept.body.id],
    );
    expect((await admin.ask('DELETE', `${PATH}/tasks/${kept.body.id}`)).status).toBe(400);
    expect((await admin.ask('DELETE', `${PATH}/tasks/${free.body.id}`)).status).toBe(200);
  },
);

story(
  'days that there are not, names that nothing has, and half characters are refused',
  async (admin) => {
    const refused = async (method: string, path: string, body?: unknown) => {
      const { status, body: answer } = await admin.ask(method, `${PATH}/${path}`, body);
      return `${status} ${answer.error?.param ?? answer.error?.code}`;
    };
    for (const day of ['2026-02-30', '2026-11-31', '0000-01-01']) {
      const rate = { currency: 'EUR', valid_from: day, usd_per_unit: 1 };
      expect(await refused('POST', 'exchange-rates', rate)).toBe('400 valid_from');
      expect(await refused('POST', 'exchange-rates/csv', { csv: `EUR,${day},1` })).toBe('400 csv');
      const fair = { name: 'Fair', occurs_on: day };
      expect(await refused('POST', 'occasions', fair)).toBe('400 occurs_on');
    }
    expect(await refused('GET', 'tier-overrides?name=x')).toBe('400 name');
    const half = { name: 'a\ud800' };
    expect(await refused('POST', 'persons', half)).toBe('400 invalid_value');
    const key = { name: 'x', type: 'coder', model_config: { 'a\0': 1 } };
    expect(await refused('POST', 'agents', key)).toBe('400 invalid_value');
  },
);

story('exchange rates come in pages, the newest day first', async (admin) => {
  const lines = ['EUR,2026-01-01,1', 'GBP,2026-01-01,2', 'EUR,2026-01-02,1', 'CHF,2025-12-31,1'];
  await admin.ask('POST', `${PATH}/exchange-rates/csv`, { csv: lines.join('\n') });
  const seen: string[] = [];
  let cursor = '';
  do {
    const { body } = await admin.ask('GET', `${PATH}/exchange-rates?limit=1${cursor}`);
    for (const { currency, valid_from } of body.data) seen.push(`${currency} ${valid_from}`);
    cursor = body.next_cursor === null ? '' : `&cursor=${body.next_cursor}`;
  } while (cursor !== '');
  expect(seen).toEqual(['EUR 2026-01-02', 'GBP 2026-01-01', 'EUR 2026-01-01', 'CHF 2025-12-31']);
  const tiers = await admin.ask('GET', `${PATH}/tiers?limit=4`);
  expect(tiers.body.data.map(({ tier }: { tier: number }) => tier)).toEqual([1, 2, 3, 4]);
  const rest = await admin.ask('GET', `${PATH}/tiers?cursor=${tiers.body.next_cursor}`);
  expect(rest.body.data.map(({ tier }: { tier: number }) => tier)).toEqual([5, 6, 7, 8, 9]);
});
