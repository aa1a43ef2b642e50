import { expect } from 'vitest';
import type { Database } from '#src/drivers/database.js';
import type { ConfiguredRows } from '#src/flows/admin/apply-config.js';
import type { ConfiguredLimit } from '#src/flows/admin/apply-limits.js';
import { openAdmin, ROWS } from '../support/admin.js';
import { eachDatabase } from '../support/databases.js';

const UTC = { timeZone: 'UTC', weekStart: 1, anchorDay: 1 };
const DAILY: ConfiguredLimit = {
  name: 'agent:demo/coder-1/usd/daily',
  scopeType: 'agent',
  project: null,
  agent: 'coder-1',
  agentType: null,
  scopeKey: null,
  unit: 'nano_usd',
  amount: 5_000_000_000,
  period: 'daily',
  calendar: UTC,
  mode: 'block',
  strict: false,
  visible: true,
  onLedgerDown: 'refuse',
  thresholds: [0.5, 0.8],
};
const GLOBAL: ConfiguredLimit = {
  ...DAILY,
  name: 'global/tokens/monthly',
  scopeType: 'global',
  agent: null,
  unit: 'tokens',
  amount: 1_000,
  period: 'monthly',
};

/** Starts a gateway on it, looks, and stops it. */
async function start<T>(
  database: Database,
  rows: ConfiguredRows,
  look: (admin: Awaited<ReturnType<typeof openAdmin>>) => T | Promise<T>,
  adminKey?: string,
): Promise<T> {
  const admin = await openAdmin(database, { rows, ...(adminKey && { adminKey }) });
  try {
    return await look(admin);
  } finally {
    await admin.close();
  }
}

const version = async (database: Database) =>
  (await database.query<{ version: number }>('select version from config_version'))[0]!.version;

eachDatabase(
  'the first start makes keys that work, the next ones change nothing',
  async ({ database }) => {
    const rows = { ...ROWS, limits: [DAILY, GLOBAL] };
    const first = await start(database, rows, async (admin) => {
      expect(admin.made.agentKey?.agent).toBe('coder-1');
      const { text } = admin.made.agentKey!;
      expect((await admin.ask('GET', '/v1/models', undefined, text)).body.data[0].id).toBe(
        'coder-1',
      );
      expect((await admin.ask('GET', '/admin/v1/keys')).body.data).toHaveLength(2);
      return { made: admin.made, version: admin.directory.snapshot().version };
    });
    expect(first.made.applied.created).toEqual([
      'project demo',
      'agent demo/coder-1',
      'limit agent:demo/coder-1/usd/daily',
      'limit global/tokens/monthly',
    ]);
    for (let round = 0; round < 2; round += 1) {
      await start(database, rows, (admin) => {
        expect(admin.made).toEqual({ applied: { created: [], updated: [], deactivated: [] } });
      });
    }
    expect(await version(database)).toBe(first.version);
    const users = await database.query('select username, is_admin from users');
    expect(users).toEqual([{ username: 'admin', is_admin: true }]);
  },
);

eachDatabase('rows of the file are in force as the file says them', async ({ database }) => {
  await start(database, { ...ROWS, limits: [DAILY, GLOBAL] }, ({ directory }) => {
    const { limits, agents } = directory.snapshot();
    const [agent] = [...agents.values()];
    expect(agent).toMatchObject({ name: 'coder-1', type: 'coder', modelConfig: { max_tokens: 9 } });
    expect(limits.find((limit) => limit.name === DAILY.name)).toMatchObject({
      scopeType: 'agent',
      scopeId: agent!.id,
      unit: 'nano_usd',
      amount: 5_000_000_000,
      mode: 'block',
      thresholds: [0.5, 0.8],
    });
    expect(limits.find((limit) => limit.name === GLOBAL.name)).toMatchObject({
      unit: 'tokens',
      amount: 1_000,
      period: 'monthly',
    });
  });
});

eachDatabase(
  'a limit that leaves the file and comes back is the same row',
  async ({ database }) => {
    const ids = async () => {
      const found = await database.query<{ id: string; is_active: boolean }>(
        'select id, is_active from budget_limits where name = $1 order by created_at',
        [DAILY.name],
      );
      return found;
    };
    await start(database, { ...ROWS, limits: [DAILY] }, () => {});
    const [made] = await ids();
    await start(database, ROWS, ({ made: { applied } }) => {
      expect(applied.deactivated).toEqual([`limit ${DAILY.name}`]);
    });
    expect(await ids()).toEqual([{ id: made!.id, is_active: false }]);
    const raised = { ...DAILY, amount: 7_000_000_000 };
    await start(database, { ...ROWS, limits: [raised] }, ({ directory }) => {
      expect(directory.snapshot().limits).toMatchObject([{ id: made!.id, amount: 7_000_000_000 }]);
    });
    expect(await ids()).toEqual([{ id: made!.id, is_active: true }]);
    const weekly = { ...DAILY, period: 'weekly' as const };
    await start(database, { ...ROWS, limits: [weekly] }, ({ directory }) => {
      const [limit] = directory.snapshot().limits;
      expect(limit).toMatchObject({ name: DAILY.name, period: 'weekly' });
      expect(limit!.id).not.toBe(made!.id);
    });
  },
);

eachDatabase(
  'what the API made outlives the file; what left the file is inactive',
  async ({ database }) => {
    await start(database, ROWS, async (admin) => {
      await admin.ask('POST', '/admin/v1/projects', { name: 'own' });
      const limit = { scope_type: 'global', amount_usd: 1, period: 'ever' };
      expect((await admin.ask('POST', '/admin/v1/limits', limit)).status).toBe(201);
    });
    await start(database, { projects: [], agents: [], limits: [] }, ({ directory, made }) => {
      expect(made.applied.deactivated).toEqual(['agent coder-1']);
      const { projects, agents, limits } = directory.snapshot();
      expect([...projects.values()].map((row) => [row.name, row.isActive])).toEqual(
        expect.arrayContaining([
          ['demo', true],
          ['own', true],
        ]),
      );
      expect([...agents.values()].map((row) => row.isActive)).toEqual([false]);
      expect(limits.map((limit) => limit.name)).toEqual(['global/usd/ever']);
    });
  },
);

eachDatabase(
  'a file that cannot be applied stops the start and changes nothing',
  async ({ database }) => {
    await start(database, ROWS, () => {});
    const before = await version(database);
    const lost = { ...DAILY, agent: 'nobody' };
    await expect(start(database, { ...ROWS, limits: [GLOBAL, lost] }, () => {})).rejects.toThrow(
      'names no active agent nobody',
    );
    const crowd = Array.from({ length: 17 }, (_, index) => ({ ...GLOBAL, name: `g${index}` }));
    await expect(start(database, { ...ROWS, limits: crowd }, () => {})).rejects.toThrow(
      '17 limits',
    );
    const orphan = { ...ROWS.agents[0]!, project: 'gone' };
    await expect(start(database, { ...ROWS, agents: [orphan] }, () => {})).rejects.toThrow(
      'which does not exist',
    );
    expect(await version(database)).toBe(before);
    expect(await database.query('select 1 from budget_limits')).toEqual([]);
  },
);

const GIVEN = 'given by the operator, any form';

eachDatabase(
  'the given admin key is good while it is given, and never stored',
  async ({ database }) => {
    const ask = (key: string) => async (admin: Awaited<ReturnType<typeof openAdmin>>) => {
      expect(admin.made.adminKey).toBeUndefined();
      return (await admin.ask('GET', '/admin/v1/users', undefined, key)).status;
    };
    expect(await start(database, ROWS, ask(GIVEN), GIVEN)).toBe(200);
    expect(await start(database, ROWS, ask(GIVEN), GIVEN)).toBe(200);
    const other = `${GIVEN}, another`;
    expect(await start(database, ROWS, ask(GIVEN), other)).toBe(401);
    expect(await start(database, ROWS, ask(other), other)).toBe(200);
    const later = await start(database, ROWS, async (admin) => {
      expect(admin.made.adminKey).toMatch(/^sk-purser-/);
      return (await admin.ask('GET', '/admin/v1/users', undefined, other)).status;
    });
    expect(later).toBe(401);
    const dump = JSON.stringify([
      await database.query('select * from api_keys'),
      await database.query('select * from audit_log'),
      await database.query('select * from settings'),
    ]);
    expect(dump).not.toContain(GIVEN);
    await expect(start(database, ROWS, () => {}, 'too short')).rejects.toThrow('at least 24');
  },
);

eachDatabase(
  'a change by another gateway is seen by polling, and told once',
  async ({ database }) => {
    await start(database, ROWS, async (admin) => {
      const { directory } = admin;
      const told: number[] = [];
      const changed = new Promise<void>((resolve) => {
        directory.onChange((snapshot) => {
          told.push(snapshot.version);
          resolve();
        });
      });
      const before = directory.snapshot();
      await database.query(`update agents set is_active = false where name = 'coder-1'`);
      await changed;
      expect(directory.snapshot()).not.toBe(before);
      expect(told).toHaveLength(1);
      const { text } = admin.made.agentKey!;
      const answer = await admin.ask('GET', '/v1/models', undefined, text);
      expect(answer.body.error.code).toBe('key_disabled');
      await directory.refresh();
      expect(told).toHaveLength(1);
    });
  },
);
