import { expect } from 'vitest';
import { type Admin, openAdmin } from '../support/admin.js';
import { eachDatabase } from '../support/databases.js';

type Story = (admin: Admin) => Promise<void>;

function story(name: string, body: Story): void {
  eachDatabase(name, async ({ database }) => {
    const admin = await openAdmin(database);
    try {
      await body(admin);
    } finally {
      await admin.close();
    }
  });
}

const count = async (admin: Admin, table: string): Promise<number> => {
  const rows = await admin.database.query<{ n: number }>(`select count(*) as n from ${table}`);
  return rows[0]!.n;
};

async function coder(admin: Admin): Promise<string> {
  const { body } = await admin.ask('GET', '/admin/v1/agents?name=coder-1');
  return body.data[0].id;
}

const code = ({ status, body }: { status: number; body: { error?: { code: string } } }) =>
  [status, body.error?.code] as const;

story('projects, users and agents are made, listed, read, changed and deleted', async (admin) => {
  const user = await admin.ask('POST', '/admin/v1/users', { username: 'ada', email: 'a@b.c' });
  expect(user.status).toBe(201);
  expect(user.body).not.toHaveProperty('password_hash');
  const project = await admin.ask('POST', '/admin/v1/projects', {
    name: 'apollo',
    owner_id: user.body.id,
  });
  const agent = await admin.ask('POST', '/admin/v1/agents', {
    name: 'tester-1',
    type: 'tester',
    project_id: project.body.id,
    model_config: { model: 'm', nested: [1, { a: null }] },
  });
  for (const [path, made, change] of [
    ['users', user, { email: 'x@y.z' }],
    ['projects', project, { description: 'to the moon' }],
    ['agents', agent, { tier: 3 }],
  ] as const) {
    const at = `/admin/v1/${path}/${made.body.id}`;
    expect((await admin.ask('GET', at)).body).toEqual(made.body);
    const changed = await admin.ask('PATCH', at, change);
    expect(changed.body).toMatchObject(change);
    const list = await admin.ask('GET', `/admin/v1/${path}?limit=200`);
    expect(list.body.data).toContainEqual(changed.body);
    const gone = await admin.ask('DELETE', at);
    expect(gone.body.is_active).toBe(false);
    expect((await admin.ask('GET', at)).body.is_active).toBe(false);
  }
  const audit = await admin.ask('GET', '/admin/v1/audit?limit=9');
  const actions = audit.body.data.map((row: { action: string }) => row.action);
  expect(actions.sort()).toEqual([
    ...Array(3).fill('create'),
    ...Array(3).fill('deactivate'),
    ...Array(3).fill('update'),
  ]);
  expect(JSON.stringify(audit.body)).not.toContain('password');
});

story('a list is walked in pages without a gap or a repetition', async (admin) => {
  for (let index = 0; index < 7; index += 1) {
    await admin.ask('POST', '/admin/v1/projects', { name: `p${index}` });
  }
  const seen: string[] = [];
  let cursor = '';
  do {
    const page = await admin.ask('GET', `/admin/v1/projects?limit=3${cursor}`);
    seen.push(...page.body.data.map((row: { name: string }) => row.name));
    cursor = page.body.has_more ? `&cursor=${page.body.next_cursor}` : '';
  } while (cursor !== '');
  expect(seen).toEqual(['demo', 'p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6']);
});

story('a key works from the answer that made it, and is shown only there', async (admin) => {
  const made = await admin.ask('POST', '/admin/v1/keys', {
    name: 'second',
    agent_id: await coder(admin),
    allowed_models: ['gpt-*'],
  });
  expect(made.status).toBe(201);
  const { key, ...row } = made.body;
  expect((await admin.ask('GET', '/v1/models', undefined, key)).status).toBe(200);
  const read = await admin.ask('GET', `/admin/v1/keys/${row.id}`);
  expect(read.body).toEqual(row);
  const dump = JSON.stringify([
    await admin.database.query('select * from api_keys'),
    await admin.database.query('select * from audit_log'),
  ]);
  expect(dump).not.toContain(key);
  expect(dump).not.toContain(key.slice(-38));
});

story('disabled, enabled, expired and revoked take effect with the answer', async (admin) => {
  const agentId = await coder(admin);
  const made = await admin.ask('POST', '/admin/v1/keys', { name: 'k', agent_id: agentId });
  const { id, key } = made.body;
  const call = async () => code(await admin.ask('GET', '/v1/models', undefined, key));
  const turn = (name: string) => admin.ask('POST', `/admin/v1/keys/${id}/${name}`);
  await turn('disable');
  expect(await call()).toEqual([401, 'key_disabled']);
  await turn('enable');
  expect(await call()).toEqual([200, undefined]);
  await admin.ask('PATCH', `/admin/v1/keys/${id}`, { expires_at: '2020-01-01T00:00:00Z' });
  expect(await call()).toEqual([401, 'key_expired']);
  await admin.ask('PATCH', `/admin/v1/keys/${id}`, { expires_at: null, disabled: true });
  expect(await call()).toEqual([401, 'key_disabled']);
  await admin.ask('DELETE', `/admin/v1/keys/${id}`);
  expect(await call()).toEqual([401, 'key_revoked']);
  expect(code(await turn('enable'))).toEqual([401, 'key_revoked']);
});

eachDatabase('a rotated key works for a day beside its successor', async ({ database }) => {
  let nowMs = Date.UTC(2026, 10, 21);
  const admin = await openAdmin(database, { nowMs: () => nowMs });
  const made = await admin.ask('POST', '/admin/v1/keys', {
    name: 'k',
    agent_id: await coder(admin),
    allowed_models: ['a'],
  });
  const next = await admin.ask('POST', `/admin/v1/keys/${made.body.id}/rotate`);
  expect(next.status).toBe(201);
  expect(next.body).toMatchObject({ name: 'k', allowed_models: ['a'], rotated_from: made.body.id });
  const call = async (key: string) => (await admin.ask('GET', '/v1/models', undefined, key)).status;
  expect(await call(made.body.key)).toBe(200);
  expect(await call(next.body.key)).toBe(200);
  nowMs += 24 * 60 * 60 * 1000;
  expect(await call(made.body.key)).toBe(401);
  expect(await call(next.body.key)).toBe(200);
  await admin.close();
});

story('an agent or project that is deleted takes its keys with it', async (admin) => {
  const project = await admin.ask('POST', '/admin/v1/projects', { name: 'p' });
  const agent = await admin.ask('POST', '/admin/v1/agents', {
    name: 'a',
    type: 'coder',
    project_id: project.body.id,
  });
  const key = await admin.ask('POST', '/admin/v1/keys', { name: 'k', agent_id: agent.body.id });
  const call = async () => code(await admin.ask('GET', '/v1/models', undefined, key.body.key));
  expect((await call())[0]).toBe(200);
  await admin.ask('DELETE', `/admin/v1/projects/${project.body.id}`);
  expect(await call()).toEqual([401, 'key_disabled']);
  await admin.ask('PATCH', `/admin/v1/projects/${project.body.id}`, { is_active: true });
  expect((await call())[0]).toBe(200);
  await admin.ask('DELETE', `/admin/v1/agents/${agent.body.id}`);
  expect(await call()).toEqual([401, 'key_disabled']);
});

story(
  'a limit is written exactly, blocks by default, and is in force with the answer',
  async (admin) => {
    const agentId = await coder(admin);
    const made = await admin.ask('POST', '/admin/v1/limits', {
      scope_type: 'agent',
      scope_id: agentId,
      amount_usd: '1.204310001',
      period: 'daily',
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      name: 'agent:demo/coder-1/usd/daily',
      amount_usd: '1.204310001',
      amount_tokens: null,
      action_on_exceed: 'block',
      alert_threshold: 0.8,
    });
    const inForce = () => admin.directory.snapshot().limits.find((one) => one.id === made.body.id);
    expect(inForce()).toMatchObject({ amount: 1_204_310_001, unit: 'nano_usd', mode: 'block' });
    const version = inForce()!.version;
    const at = `/admin/v1/limits/${made.body.id}`;
    expect((await admin.ask('PATCH', at, { amount_usd: 2 })).body.amount_usd).toBe('2.000000');
    expect(inForce()).toMatchObject({ amount: 2_000_000_000 });
    expect(inForce()!.version).toBeGreaterThan(version);
    expect(code(await admin.ask('PATCH', at, { amount_tokens: 5 }))).toEqual([
      400,
      'invalid_value',
    ]);
    await admin.ask('DELETE', at);
    expect(inForce()).toBeUndefined();
  },
);

const LIMIT = { scope_type: 'global', amount_usd: 1, period: 'daily' };
const BAD_LIMITS: [string, object | string, string][] = [
  ['a negative amount', { ...LIMIT, amount_usd: -1 }, 'amount_usd'],
  ['a negative amount as text', { ...LIMIT, amount_usd: '-1' }, 'amount_usd'],
  ['1e30', '{"scope_type":"global","amount_usd":1e30,"period":"daily"}', 'amount_usd'],
  ['1e400', '{"scope_type":"global","amount_usd":1e400,"period":"daily"}', 'amount_usd'],
  ['NaN as text', { ...LIMIT, amount_usd: 'NaN' }, 'amount_usd'],
  ['ten fractional digits', { ...LIMIT, amount_usd: '0.0000000001' }, 'amount_usd'],
  ['over the cap', { ...LIMIT, amount_usd: '9007199.254740992' }, 'amount_usd'],
  ['no amount', { scope_type: 'global', period: 'daily' }, 'amount_usd'],
  ['two amounts', { ...LIMIT, amount_tokens: 1 }, 'amount_usd'],
  [
    'tokens over 2^53-1',
    { scope_type: 'global', amount_tokens: 2 ** 53, period: 'ever' },
    'amount_tokens',
  ],
  [
    'half a request',
    { scope_type: 'global', amount_requests: 0.5, period: 'ever' },
    'amount_requests',
  ],
  ['no period', { scope_type: 'global', amount_usd: 1 }, 'period'],
  ['an unknown period', { ...LIMIT, period: 'yearly' }, 'period'],
  ['concurrency a day', { scope_type: 'global', amount_concurrency: 1, period: 'daily' }, 'period'],
  ['a path as time zone', { ...LIMIT, time_zone: '../../etc' }, 'time_zone'],
  ['a scope without its value', { ...LIMIT, scope_type: 'person' }, 'scope_key'],
  ['a value without its scope', { ...LIMIT, scope_key: 'ada' }, 'scope_key'],
  [
    'an unknown agent',
    { ...LIMIT, scope_type: 'agent', scope_id: '00000000-0000-4000-8000-000000000000' },
    'scope_id',
  ],
  ['an unknown member', { ...LIMIT, amount_eur: 1 }, 'amount_eur'],
  [
    'a prototype',
    '{"scope_type":"global","amount_usd":1,"period":"daily","__proto__":{"x":1}}',
    '__proto__',
  ],
];

story(
  'a limit that cannot be is refused with its reason and leaves nothing behind',
  async (admin) => {
    for (const [name, body, param] of BAD_LIMITS) {
      const before = await count(admin, 'audit_log');
      const answer = await admin.ask('POST', '/admin/v1/limits', body);
      expect([name, ...code(answer), answer.body.error.param]).toEqual([
        name,
        400,
        'invalid_value',
        param,
      ]);
      expect(await count(admin, 'audit_log')).toBe(before);
    }
    expect(await count(admin, 'budget_limits')).toBe(0);
  },
);

story('a limit that would be the 17th of some caller is refused', async (admin) => {
  const person = (index: number) => ({
    scope_type: 'person',
    scope_key: '*',
    amount_usd: index + 1,
    period: 'daily',
    name: `person ${index}`,
  });
  for (let index = 0; index < 16; index += 1) {
    expect((await admin.ask('POST', '/admin/v1/limits', person(index))).status).toBe(201);
  }
  const refused = await admin.ask('POST', '/admin/v1/limits', person(16));
  expect(code(refused)).toEqual([400, 'invalid_value']);
  expect(refused.body.error.message).toContain('17 limits');
  expect(await count(admin, 'budget_limits')).toBe(16);
  const other = {
    scope_type: 'agent_type',
    scope_agent_type: 'tester',
    amount_usd: 1,
    period: 'daily',
  };
  expect((await admin.ask('POST', '/admin/v1/limits', other)).status).toBe(201);
  const tester = { name: 't', type: 'tester' };
  expect(code(await admin.ask('POST', '/admin/v1/agents', tester))).toEqual([400, 'invalid_value']);
});

story('rows of the configuration file are changed there only', async (admin) => {
  const at = `/admin/v1/agents/${await coder(admin)}`;
  expect(code(await admin.ask('PATCH', at, { tier: 1 }))).toEqual([409, 'managed_by_file']);
  expect(code(await admin.ask('DELETE', at))).toEqual([409, 'managed_by_file']);
});

story('what exists already is 409, what never did is 404', async (admin) => {
  const user = { username: 'ada', email: 'a@b.c' };
  await admin.ask('POST', '/admin/v1/users', user);
  expect(code(await admin.ask('POST', '/admin/v1/users', user))).toEqual([409, 'already_exists']);
  for (const id of ['00000000-0000-4000-8000-000000000000', 'x', '%00', "'--"]) {
    expect((await admin.ask('GET', `/admin/v1/users/${id}`)).status).toBe(404);
  }
  expect(code(await admin.ask('GET', '/admin/v1/nothing'))).toEqual([404, 'unknown_endpoint']);
  expect(code(await admin.ask('PUT', '/admin/v1/users'))).toEqual([405, 'method_not_allowed']);
});

story('queries and bodies that nobody should send are refused', async (admin) => {
  const get = async (path: string) => code(await admin.ask('GET', `/admin/v1/${path}`));
  const forged = Buffer.from('2026-01-01 00:00:00+00|x; drop table users').toString('base64url');
  for (const query of [
    'limit=1e9',
    'limit=0',
    `cursor=${forged}`,
    'cursor=x',
    'sort=;drop',
    'limit=1&limit=2',
  ]) {
    expect(await get(`projects?${query}`)).toEqual([400, 'invalid_value']);
  }
  expect(await get('usage?from=yesterday')).toEqual([400, 'invalid_value']);
  expect(await get('projects?name=%25%25%25')).toEqual([200, undefined]);
  const post = async (body: unknown) => code(await admin.ask('POST', '/admin/v1/projects', body));
  expect(await post('{')).toEqual([400, 'invalid_json']);
  expect(await post('[]')).toEqual([400, 'invalid_value']);
  expect(await post({ name: 'a\0b' })).toEqual([400, 'invalid_value']);
  expect(await post({ name: 'x'.repeat(101) })).toEqual([400, 'invalid_value']);
  expect(await post('['.repeat(100_000))).toEqual([400, 'invalid_json']);
  expect(await post(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)).toEqual([400, 'too_deep']);
});

story(
  'who may do what: agents nothing, finance reads, operators all but the keys of admins',
  async (admin) => {
    const agentKey = admin.made.agentKey!.text;
    const list = '/admin/v1/keys';
    expect(code(await admin.ask('GET', list, undefined, null))).toEqual([401, 'invalid_api_key']);
    expect(code(await admin.ask('GET', list, undefined, agentKey))).toEqual([
      403,
      'insufficient_permissions',
    ]);
    expect(code(await admin.ask('GET', '/v1/models'))).toEqual([403, 'insufficient_permissions']);
    const make = async (role: string) =>
      (await admin.ask('POST', list, { name: role, kind: 'admin', role })).body.key as string;
    const [finance, operator] = [await make('finance'), await make('operator')];
    const project = { name: 'p' };
    expect((await admin.ask('GET', '/admin/v1/usage', undefined, finance)).status).toBe(200);
    expect(code(await admin.ask('POST', '/admin/v1/projects', project, finance))).toEqual([
      403,
      'insufficient_permissions',
    ]);
    expect((await admin.ask('POST', '/admin/v1/projects', project, operator)).status).toBe(201);
    const own = { name: 'x', kind: 'admin', role: 'owner' };
    expect(code(await admin.ask('POST', list, own, operator))).toEqual([
      403,
      'insufficient_permissions',
    ]);
    const keys = (await admin.ask('GET', list)).body.data as { id: string; role: string }[];
    const owner = keys.find((key) => key.role === 'owner')!;
    for (const turn of ['rotate', 'revoke', 'disable']) {
      const answer = await admin.ask('POST', `${list}/${owner.id}/${turn}`, undefined, operator);
      expect(code(answer)).toEqual([403, 'insufficient_permissions']);
    }
  },
);

story('open reservations are listed and ended by force, with a reason', async (admin) => {
  const id = '019abcde-0000-7000-8000-000000000001';
  admin.holds.push({
    id,
    owner: 'gw-1',
    phase: 'held',
    lines: [],
    floor: { nano_usd: 0, tokens: 0, requests: 0, concurrency: 0 },
    seen: { nano_usd: 5, tokens: 1, requests: 0, concurrency: 0 },
    leaseEndsAtMs: 0,
    stub: '{}',
  });
  const list = await admin.ask('GET', '/admin/v1/reservations');
  expect(list.body.data).toMatchObject([
    { id, owner: 'gw-1', phase: 'held', seen_usd: '0.000000005' },
  ]);
  const at = `/admin/v1/reservations/${id}/release`;
  expect(code(await admin.ask('POST', at, {}))).toEqual([400, 'invalid_value']);
  expect(admin.holds).toHaveLength(1);
  expect((await admin.ask('POST', at, { reason: 'stuck' })).status).toBe(200);
  expect(admin.holds).toHaveLength(0);
  expect(code(await admin.ask('POST', at, { reason: 'stuck' }))).toEqual([404, 'not_found']);
  const audit = await admin.ask('GET', '/admin/v1/audit?limit=1');
  expect(audit.body.data[0]).toMatchObject({ action: 'release', entity_id: id, reason: 'stuck' });
});
