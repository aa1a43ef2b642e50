import { expect } from 'vitest';
import { type Admin, openAdmin } from '../support/admin.js';
import { eachDatabase } from '../support/databases.js';

function story(name: string, body: (admin: Admin) => Promise<void>): void {
  eachDatabase(name, async ({ database }) => {
    const admin = await openAdmin(database);
    try {
      await body(admin);
    } finally {
      await admin.close();
    }
  });
}

const SLOTS = '/admin/v1/slots';
const TEMPLATES = '/admin/v1/templates';

story('slots are made, changed and deleted; critical ones are kept by default', async (admin) => {
  const rules = await admin.ask('POST', SLOTS, { key: 'house', category: 'rules', content: 'x' });
  expect(rules.status).toBe(201);
  expect(rules.body).toMatchObject({ must_keep: true, min_chars: 200, source: 'text' });
  const notes = await admin.ask('POST', SLOTS, { key: 'notes', must_keep: false, priority: -3 });
  expect(notes.body).toMatchObject({ category: 'context', must_keep: false, min_chars: 0 });
  const at = `${SLOTS}/${notes.body.id}`;
  const changed = await admin.ask('PATCH', at, { soft_limit_chars: 100, content: 'y' });
  expect(changed.body).toMatchObject({ soft_limit_chars: 100, content: 'y', priority: -3 });
  expect((await admin.ask('GET', `${SLOTS}?name=notes`)).body.data).toEqual([changed.body]);
  expect((await admin.ask('POST', SLOTS, { key: 'notes' })).status).toBe(409);
  expect((await admin.ask('DELETE', at)).status).toBe(200);
  expect((await admin.ask('GET', at)).status).toBe(404);
  const audit = await admin.ask('GET', '/admin/v1/audit?limit=4');
  const actions = audit.body.data.map((row: { action: string }) => row.action);
  expect(actions.sort()).toEqual(['create', 'create', 'delete', 'update']);
});

story('a template has slots in order, and its own project before all', async (admin) => {
  const { body: projects } = await admin.ask('GET', '/admin/v1/projects?name=demo');
  const project = projects.data[0].id;
  const own = await admin.ask('POST', SLOTS, { key: 'rules', project_id: project, content: 'own' });
  const made = await admin.ask('POST', TEMPLATES, {
    name: 'coder',
    project_id: project,
    max_prompt_tokens: 32_000,
    slots: ['system', 'rules', 'history', 'input'],
  });
  expect(made.status).toBe(201);
  expect(made.body.slots).toEqual(['system', 'rules', 'history', 'input']);
  const rows = await admin.database.query(
    'select 1 from prompt_templates where template_id = $1 and slot_id = $2',
    [made.body.id, own.body.id],
  );
  expect(rows).toHaveLength(1);
  const at = `${TEMPLATES}/${made.body.id}`;
  const fewer = await admin.ask('PATCH', at, { slots: ['input', 'system'] });
  expect(fewer.body.slots).toEqual(['input', 'system']);
  const renamed = await admin.ask('PATCH', at, { description: 'for coders' });
  expect(renamed.body).toMatchObject({ slots: ['input', 'system'], max_prompt_tokens: 32_000 });
  for (const slots of [['none'], ['input', 'input']]) {
    const refused = await admin.ask('PATCH', at, { slots });
    expect([refused.status, refused.body.error.param]).toEqual([400, 'slots']);
  }
  expect((await admin.ask('GET', at)).body).toEqual(renamed.body);
  const gone = await admin.ask('DELETE', at);
  expect(gone.body.is_active).toBe(false);
  const { body: global } = await admin.ask('GET', `${SLOTS}?name=input`);
  const used = await admin.ask('DELETE', `${SLOTS}/${global.data[0].id}`);
  expect([used.status, used.body.error.message]).toEqual([
    400,
    'Take it out of these templates first: coder.',
  ]);
});

story('values that make no sense are refused with their member', async (admin) => {
  for (const [path, body, param] of [
    [SLOTS, {}, 'key'],
    [SLOTS, { key: 'x', source: 'web' }, 'source'],
    [SLOTS, { key: 'x', min_chars: -1 }, 'min_chars'],
    [SLOTS, { key: 'x', content: 'a\0b' }, 'content'],
    [SLOTS, { key: 'x', wrong: 1 }, 'wrong'],
    [TEMPLATES, { name: 'x', max_prompt_tokens: 0 }, 'max_prompt_tokens'],
    [TEMPLATES, { name: '' }, 'name'],
  ] as const) {
    const answer = await admin.ask('POST', path, body);
    expect([answer.status, answer.body.error.param]).toEqual([400, param]);
  }
});
