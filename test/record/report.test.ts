// Reports equal a plain GROUP BY over the rows, whichever of their sources answers, whatever is
// grouped and filtered by, while rows arrive, change and go.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Queryable } from '#src/drivers/database.js';
import type { Group } from '#src/flows/admin/usage-dimensions.js';
import { groupOf } from '#src/flows/admin/usage-dimensions.js';
import {
  type ReportRequest,
  reportUsage,
  type UsageReport,
} from '#src/flows/admin/usage-report.js';
import { createUsageStore } from '#src/stores/usage/usage.js';
import {
  eachDatabase,
  type FreshDatabase,
  freshPostgres,
  warmPglite,
} from '../support/databases.js';
import { usageEvents } from '../support/events.js';
import { insertWho, testRecorder, WHO } from '../support/usage.js';
import { insertAgents, insertUsage } from '../support/usage-rows.js';

const NOW_MS = Date.UTC(2026, 11, 1, 12, 34, 56, 789);
const MONTH = { since: '2026-10-15T07:20:00Z', until: '2026-11-14T23:59:59.999Z' };
const SUMS = `count(*) filter (where kind = 'base') as calls, count(*) as rows,
  sum(tokens_in)::bigint as tokens_in, sum(tokens_out)::bigint as tokens_out,
  sum(tokens_cached_read)::bigint as tokens_cached_read,
  sum(tokens_cache_write)::bigint as tokens_cache_write,
  sum(tokens_reasoning)::bigint as tokens_reasoning,
  sum(tokens_saved)::bigint as tokens_saved, sum(saved_usd)::text as saved_usd,
  sum(cost_usd)::text as cost_usd, sum(overrun_usd)::text as overrun_usd`;

async function report(database: Queryable, by: string, more: Partial<ReportRequest> = {}) {
  const groups = by === '' ? [] : by.split(',').map((name) => groupOf(name) as Group);
  const request = { ...MONTH, groups, filters: {}, tags: {}, ...more };
  const clock = { nowMs: () => NOW_MS };
  return (await reportUsage({ database, clock }, request)) as UsageReport;
}

/** Lines of the report by their groups as `by` names them in SQL. */
async function plain(database: Queryable, by: Record<string, string>, where = 'true') {
  const keys = Object.entries(by).map(([name, sql]) => `${sql} as "${name}"`);
  return database.query<Record<string, unknown>>(
    `select ${[...keys, SUMS].join(', ')} from token_usage
     where timestamp >= '${MONTH.since}' and timestamp < '${MONTH.until}' and ${where}
     ${keys.length > 0 ? `group by ${keys.map((_, i) => i + 1).join(', ')}` : ''}`,
  );
}

function lines(rows: readonly Record<string, unknown>[], names: readonly string[]): string[] {
  const sums = ['calls', 'rows', 'tokens_in', 'tokens_out', 'tokens_cached_read'];
  const more = ['tokens_cache_write', 'tokens_reasoning', 'tokens_saved'];
  const money = ['cost_usd', 'overrun_usd', 'saved_usd'];
  return rows
    .map((row) => [...names, ...sums, ...more, ...money].map((name) => row[name]).join(' '))
    .sort();
}

async function expectEqual(
  database: Queryable,
  by: Record<string, string>,
  asked: { groups?: string; where?: string; more?: Partial<ReportRequest> } = {},
): Promise<UsageReport> {
  const groups =
    asked.groups ??
    Object.keys(by)
      .join(',')
      .replace(/\b(agent|project)_id/g, '$1');
  const made = await report(database, groups, asked.more);
  const names = Object.keys(by);
  expect(lines(made.data, names)).toEqual(lines(await plain(database, by, asked.where), names));
  return made;
}

beforeAll(warmPglite);

const local = (zone: string) => `timestamp at time zone '${zone}'`;
const day = (zone: string) => `to_char(${local(zone)}, 'YYYY-MM-DD')`;

eachDatabase('a report is the plain sum, by whatever it groups and filters', async (fresh) => {
  const { database } = fresh;
  await insertWho(database);
  await insertAgents(database);
  await insertUsage(database, 1, 3_000);
  const inBerlin = { zone: 'Europe/Berlin' };
  const inKathmandu = { zone: 'Asia/Kathmandu' };
  const ask = async (...args: [Record<string, string>, Parameters<typeof expectEqual>[2]?]) =>
    (await expectEqual(database, ...args)).answered_from;

  expect(await ask({})).toBe('both');
  expect(await ask({ agent_id: 'agent_id', model: 'model' })).toBe('both');
  expect(await ask({ agent_type: 'agent_type', provider: 'provider', kind: 'kind' })).toBe('both');
  expect(await ask({ day: day('UTC') })).toBe('both');
  expect(await ask({ day: day('Europe/Berlin') }, { more: inBerlin })).toBe('both');
  expect(await ask({ day: day('Asia/Kathmandu') }, { more: inKathmandu })).toBe('rows');
  const week = `to_char(${local('Europe/Berlin')}, 'IYYY-"W"IW')`;
  expect(await ask({ week, project_id: 'project_id' }, { more: inBerlin })).toBe('both');
  const month = `to_char(${local('UTC')}, 'YYYY-MM')`;
  expect(await ask({ month, end_user: 'end_user' })).toBe('rows');
  expect(await ask({ 'tag:team': "tags->>'team'" })).toBe('rows');
  const conversation = "coalesce(attribution->>'conversation', conversation_id::text)";
  expect(await ask({ conversation, task: 'task_id::text' })).toBe('rows');
  expect(await ask({ issue: "attribution->>'issue'", person: 'person_id::text' })).toBe('rows');

  const where = "agent_id = (select id from agents where name = 'agent-3') and model = 'model-1'";
  const filters = { agent: 'demo/agent-3', model: 'model-1' };
  expect(await ask({ day: day('UTC') }, { where, more: { filters } })).toBe('both');
  const tagged = { tags: { team: 'team-1' }, filters: { agent: '' } };
  const untagged = "tags->>'team' = 'team-1' and agent_id is null";
  expect(await ask({ model: 'model' }, { where: untagged, more: tagged })).toBe('rows');
});

eachDatabase('hours of both passes are two when the clocks go back', async ({ database }) => {
  await insertWho(database);
  await insertAgents(database);
  await insertUsage(database, 1, 2_000);
  await database.query(`update token_usage set timestamp = '2026-10-25T00:10:00Z'
    where model = 'model-1'`);
  await database.query(`update token_usage set timestamp = '2026-10-25T01:50:00Z'
    where model = 'model-2'`);
  const { data, total } = await report(database, 'hour', { zone: 'Europe/Berlin' });
  const hours = new Map(data.map((row) => [row.hour, row.rows]));
  expect(hours.get('2026-10-25T02:00+02:00')).toBeGreaterThan(400);
  expect(hours.get('2026-10-25T02:00+01:00')).toBeGreaterThan(400);
  const counts = data.map((row) => row.rows as number);
  expect(counts.reduce((left, right) => left + right)).toBe(total.rows);
  const india = await report(database, 'hour', { zone: 'Asia/Kolkata' });
  expect(india.answered_from).toBe('rows');
  expect(india.data.every(({ hour }) => /T\d\d:00\+05:30$/.test(String(hour)))).toBe(true);
});

eachDatabase('sums follow what is deleted, changed, orphaned and taken off', async (fresh) => {
  const { database } = fresh;
  const usage = createUsageStore(database);
  await insertWho(database);
  await insertAgents(database);
  await usage.makePartitions(Date.UTC(2026, 9, 1), 3);
  await insertUsage(database, 1, 2_000);
  const by = { agent_id: 'agent_id', model: 'model' };
  const before = await expectEqual(database, by);
  await database.run(
    "delete from token_usage where tokens_in % 7 = 0; update token_usage set cost_usd = cost_usd + 1 where model = 'model-2'",
  );
  await expectEqual(database, by);
  await database.run("delete from agents where name in ('agent-1', 'agent-2')");
  const orphaned = await expectEqual(database, by);
  expect(orphaned.data.length).toBeLessThan(before.data.length);
  const undone = database.transaction(async (tx) => {
    await tx.run('delete from token_usage');
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  await expectEqual(database, by);
  expect(await usage.detachPartitions(Date.UTC(2026, 10, 1))).toEqual(['token_usage_2026_10']);
  const rest = await expectEqual(database, by);
  expect(rest.total.rows).toBeGreaterThan(100);
  await database.run('truncate token_usage');
  expect((await report(database, 'agent')).data).toEqual([]);
});

eachDatabase('what the recorder writes is in the report, once', async ({ database }) => {
  await insertWho(database);
  const recorder = testRecorder(database);
  const events = usageEvents(50);
  await recorder.record(events);
  await recorder.record([...events, ...usageEvents(5)]);
  const span = { since: '2026-11-01', until: '2026-12-01' };
  const { total, answered_from } = await report(database, 'model', span);
  expect(answered_from).toBe('hours');
  expect(total).toMatchObject({ calls: 55, rows: 55, cost_usd: '0.067901185' });
  expect(total.tokens_in).toBe(55 * 120);
});

eachDatabase('days begin where the zone says', async ({ database }) => {
  await insertWho(database);
  await insertAgents(database);
  await insertUsage(database, 1, 500);
  const asked = { since: '2026-10-25', until: '2026-10-26', zone: 'Europe/Berlin' };
  const made = await report(database, 'day', asked);
  expect(made.since).toBe('2026-10-24T22:00:00.000Z');
  expect(made.until).toBe('2026-10-25T23:00:00.000Z');
  expect(made.data.map((row) => row.day)).toEqual(['2026-10-25']);
  const lateOn = await report(database, '', { since: '2027-01-01', until: '2027-01-02' });
  expect(lateOn.data).toEqual([]);
  expect(lateOn.total).toMatchObject({ rows: 0, cost_usd: '0.000000000' });
});

describe('100,000 rows', () => {
  let fresh: FreshDatabase;
  let database: Database;
  const SIZE = 100_000;

  beforeAll(async () => {
    fresh = await freshPostgres({ max: 3 });
    ({ database } = fresh);
    await insertWho(database);
    await insertAgents(database);
    await insertUsage(database, 1, SIZE);
  }, 120_000);
  afterAll(() => fresh.drop());

  test('reports equal the rows of the same moment while rows arrive', async () => {
    let arriving = true;
    const arrive = async () => {
      for (let from = SIZE + 1; arriving; from += 200) await insertUsage(database, from, 200);
    };
    const arrived = arrive();
    const counts = new Set<unknown>();
    for (const by of [{ agent_id: 'agent_id' }, { model: 'model', day: day('UTC') }, {}]) {
      for (let round = 0; round < 3; round += 1) {
        counts.add(await inOneMoment(by));
      }
    }
    arriving = false;
    await arrived;
    expect(counts.size).toBeGreaterThan(2);
    expect(await database.query('select count(*) as n from token_usage')).not.toEqual([
      { n: SIZE },
    ]);
  }, 60_000);

  async function inOneMoment(by: Record<string, string>): Promise<unknown> {
    return database.transaction(async (tx) => {
      await tx.run('set transaction isolation level repeatable read');
      const made = await expectEqual(tx, by);
      expect(made.answered_from).toBe('both');
      return made.total.rows;
    });
  }
});

test('who is asked for is found by name, by project and name, and by id', async () => {
  const fresh = await freshPostgres();
  try {
    const { database } = fresh;
    await insertWho(database);
    await insertAgents(database);
    await insertUsage(database, 1, 500);
    const of = async (agent: string) =>
      (await report(database, 'agent', { filters: { agent } })).data;
    const [one] = await of('agent-5');
    expect(one).toMatchObject({ agent: 'agent-5' });
    expect(await of('demo/agent-5')).toEqual([one]);
    expect(await of(String(one?.agent_id).toUpperCase())).toEqual([one]);
    expect(await of('agent-99')).toEqual([]);
    expect((await report(database, 'project,user')).data[0]).toMatchObject({ user: 'admin' });
    const [demo] = (await report(database, 'project', { filters: { project: WHO.project } })).data;
    expect(demo).toMatchObject({ project: 'demo', project_id: WHO.project });
  } finally {
    await fresh.drop();
  }
});
