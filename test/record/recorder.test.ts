// What the recorder promises of rows, totals, mirrors and of events that SQL refuses.

import { beforeAll, expect, test } from 'vitest';
import { uuidV7 } from '#src/core/id.js';
import type { UsageEvent } from '#src/core/usage-event.js';
import type { Database } from '#src/drivers/database.js';
import { openPglite } from '#src/drivers/pglite.js';
import { allowUnchecked } from '#src/stores/usage/insert.js';
import { recordEvents } from '#src/stores/usage/record.js';
import { usageRow, usageRows } from '#src/stores/usage/rows.js';
import { readTotals, readWatermark } from '#src/stores/usage/totals.js';
import { assertBooksBalance } from '../support/books.js';
import { eachDatabase, freshPostgres, pgliteImage, warmPglite } from '../support/databases.js';
import { LINES, reading, STUB, usageEvent, usageEvents } from '../support/events.js';
import { insertWho, testBook, testRecorder, WHO } from '../support/usage.js';

beforeAll(warmPglite, 120_000);

const ALL_WORDS = {
  userId: WHO.user,
  agentId: WHO.agent,
  agentName: 'coder-1',
  agentType: 'coder',
  projectId: WHO.project,
  conversation: 'conv-1',
  task: 'task-1',
  person: 'mom',
  occasion: 'xmas',
  issue: '#7',
  pullRequest: '8',
  endUser: 'u-1',
  tags: { team: 'a' },
};

const tokens = (agent: string, amount: number, overrun = 0) =>
  [{ e: `tokens:${agent}`, l: 'ever', u: 'tokens', a: amount, o: overrun }] as const;

async function counts(database: Database): Promise<Record<string, number>> {
  const [row] = await database.query<Record<string, number>>(
    `select (select count(*) from token_usage) as usage, (select count(*) from turns) as turns,
       (select count(*) from turn_metrics) as metrics`,
  );
  return { ...row };
}

eachDatabase(
  'an event becomes one turn, one metrics row and one usage row',
  async ({ database }) => {
    await insertWho(database);
    const event = usageEvent({ stub: { ...STUB, attribution: ALL_WORDS } });
    await recordEvents(database, testBook(), [event]);
    expect(await counts(database)).toEqual({ usage: 1, turns: 1, metrics: 1 });
    const [row] = await database.query(
      `select u.*, u.cost_usd::text as cost, u.usage_date::text as day, t.status, m.*
     from token_usage u join turns t using (reservation_id) join turn_metrics m on m.turn_id = t.id`,
    );
    expect(row).toMatchObject({
      user_id: WHO.user,
      agent_id: WHO.agent,
      project_id: WHO.project,
      conversation_id: WHO.conversation,
      task_id: WHO.task,
      person_id: WHO.person,
      occasion_id: WHO.occasion,
      issue_id: WHO.issue,
      pull_request_id: WHO.pullRequest,
      agent_type: 'coder',
      end_user: 'u-1',
      tags: { team: 'a' },
      lines: LINES,
      tokens_in: 120,
      tokens_out: 55,
      tokens_cached_read: 20,
      tokens_reasoning: 5,
      was_cached: true,
      cost: '0.001234567',
      day: '2026-11-21',
      usage_source: 'provider',
      outcome: 'completed',
      request_duration_ms: 900,
      model_ms: 850,
      first_byte_ms: 120,
      finish_reason: 'stop',
      status: 'completed',
    });
    expect(row?.attribution).toMatchObject({ conversation: 'conv-1', issue: '#7' });
    const [task] = await database.query(
      'select total_tokens_used as tokens, total_cost_usd::text as cost from tasks',
    );
    expect(task).toEqual({ tokens: 175, cost: '0.001234567' });
    await assertBooksBalance(database);
  },
);

eachDatabase('words come back as they went in, however they are spelled', async ({ database }) => {
  const words = [
    'null',
    '',
    ' a ',
    'a,b',
    '{a}',
    '"a"',
    'a\\',
    '\\"\\',
    "it's",
    'ä, 漢 😀',
    '\t\n\r',
    'a\x1fb',
  ];
  const events = words.map((word) =>
    usageEvent({
      stub: { ...STUB, attribution: { endUser: word, tags: { [word]: word } } },
      reading: reading({ model: word, finishReason: word }),
    }),
  );
  await recordEvents(database, testBook(), events);
  const rows = await database.query(
    `select u.end_user as "endUser", u.tags, u.model, t.model as turn, m.finish_reason as finish
     from token_usage u join turns t using (reservation_id) join turn_metrics m on m.turn_id = t.id
     order by u.ledger_seq`,
  );
  expect(rows).toEqual(
    words.map((word) => ({
      endUser: word,
      tags: { [word]: word },
      model: word,
      turn: word,
      finish: word,
    })),
  );
});

test('PGlite that leaves checks to the recorder has the same rows and sums, and checks the rest', async () => {
  const pglite = await openPglite({ at: 'memory', image: await pgliteImage() });
  const { database } = pglite;
  try {
    await insertWho(database);
    await allowUnchecked(database);
    const book = testBook();
    const stub = { ...STUB, attribution: ALL_WORDS };
    const before = usageEvents(100, { stub });
    expect(await recordEvents(database, book, before)).toEqual({ inserted: 100, duplicates: 0 });
    await database.run('delete from conversations; delete from agents; delete from projects');
    const after = usageEvents(90, { stub });
    const both = [...before.slice(0, 10), ...after];
    expect(await recordEvents(database, book, both)).toEqual({ inserted: 90, duplicates: 10 });
    expect(await counts(database)).toEqual({ usage: 190, turns: 190, metrics: 190 });
    const sums = await database.query(
      `select count(*) as usage, count(agent_id) as agents, count(conversation_id) as conversations,
         count(user_id) as users, (select sum(row_count)::bigint from usage_hours) as hours
       from token_usage`,
    );
    expect(sums).toEqual([{ usage: 190, agents: 0, conversations: 0, users: 190, hours: 190 }]);
    await assertBooksBalance(database);
    const foreign = `insert into token_usage (usage_date, model, agent_id)
      values ('2026-11-21', 'echo', gen_random_uuid())`;
    await expect(database.run(foreign)).rejects.toMatchObject({ code: '23503' });
  } finally {
    await pglite.close();
  }
});

eachDatabase('recording the same events again changes nothing', async ({ database }) => {
  const events = usageEvents(300);
  const book = testBook();
  expect(await recordEvents(database, book, events)).toEqual({ inserted: 300, duplicates: 0 });
  const totals = await readTotals(database, 0);
  const again = [...events.slice(100), ...usageEvents(5), ...events.slice(0, 100), events[0]!];
  expect(await recordEvents(database, book, again)).toEqual({ inserted: 5, duplicates: 301 });
  expect(await recordEvents(database, book, events)).toEqual({ inserted: 0, duplicates: 300 });
  expect(await counts(database)).toEqual({ usage: 305, turns: 305, metrics: 305 });
  const global = (rows: typeof totals) => rows.find(({ envelope }) => envelope === 'limit:global');
  expect(global(totals)?.committed).toBe(300 * 1_234_567);
  expect(global(await readTotals(database, 0))?.committed).toBe(305 * 1_234_567);
  await assertBooksBalance(database);
});

test('two recorders with the same events at once record each of them once', async () => {
  const fresh = await freshPostgres();
  try {
    const events = usageEvents(400);
    const parts = [events.slice(0, 300), events.slice(100), [...events].reverse(), events];
    const results = await Promise.all(
      parts.map((part) => recordEvents(fresh.database, testBook(), part)),
    );
    expect(results.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(400);
    await assertBooksBalance(fresh.database);
  } finally {
    await fresh.drop();
  }
});

eachDatabase(
  'what nobody knows stays text, and what was deleted costs no row',
  async ({ database }) => {
    await insertWho(database);
    const book = testBook();
    const stub = { ...STUB, attribution: { ...ALL_WORDS, task: 'unknown', person: 'nobody' } };
    await recordEvents(database, book, [usageEvent({ stub })]);
    await database.run('delete from conversations; delete from agents; delete from projects');
    const after = usageEvent({ stub });
    await recordEvents(database, book, [after]);
    const [row] = await database.query('select * from token_usage where reservation_id = $1', [
      after.id,
    ]);
    expect(row).toMatchObject({ agent_id: null, project_id: null, conversation_id: null });
    expect(row).toMatchObject({ task_id: null, person_id: null, user_id: WHO.user });
    expect(row?.attribution).toMatchObject({ task: 'unknown', agentId: WHO.agent });
    await assertBooksBalance(database);
  },
);

eachDatabase(
  'text that no column can hold is cut and cleaned, not refused',
  async ({ database }) => {
    const long = `\0\ud800${'ü'.repeat(300)}`;
    const attribution = { endUser: long, agentType: long, agentName: long, tags: { [long]: long } };
    const stub = { ...STUB, model: long, provider: long, requestId: long, attribution };
    const event = usageEvent({
      stub: { ...stub, attribution: { ...attribution, conversation: long, userId: 'no uuid' } },
      reading: reading({ finishReason: long, model: long, anomalies: [long], endedAtMs: 0 }),
    });
    const recorder = testRecorder(database);
    expect(await recorder.record([event])).toMatchObject({ inserted: 1, setAside: 0 });
  },
);

eachDatabase(
  'a reaped call is marked estimated, and its late row completes it',
  async ({ database }) => {
    const { reading: read, ...reaped } = usageEvent();
    const book = testBook();
    const booked = [
      { e: 'limit:global', l: '2026-11', u: 'nano_usd' as const, a: 1_000_000, o: 0 },
      { e: 'limit:tokens', l: '2026-11-21', u: 'tokens' as const, a: 130, o: 0 },
    ];
    await recordEvents(database, book, [{ ...reaped, lines: booked }]);
    expect(await usageRow(database, reaped.id)).toEqual({
      kind: 'base',
      outcome: 'reaped',
      usageSource: 'estimated',
      lines: booked,
      tokensIn: 130,
      tokensOut: 0,
      costNanoUsd: 1_000_000,
    });
    const delta = [
      { ...booked[0]!, a: 234_567 },
      { ...booked[1]!, a: 45 },
    ];
    const late: UsageEvent = { ...reaped, kind: 'late', lines: delta, reading: read! };
    await recordEvents(database, book, [late]);
    const rows = await usageRows(database, reaped.id);
    expect(rows.map(({ kind }) => kind)).toEqual(['base', 'late']);
    const sum = (key: 'tokensIn' | 'tokensOut' | 'costNanoUsd') =>
      rows.reduce((total, row) => total + row[key], 0);
    expect([sum('tokensIn'), sum('tokensOut'), sum('costNanoUsd')]).toEqual([120, 55, 1_234_567]);
    const [turn] = await database.query(
      'select status, finish_reason from turns join turn_metrics on turn_id = id',
    );
    expect(turn).toEqual({ status: 'completed', finish_reason: 'stop' });
    await assertBooksBalance(database);
  },
);

eachDatabase('rows of one call in one batch are one turn, told by its late row', async (fresh) => {
  const { database } = fresh;
  const { reading: read, ...reaped } = usageEvent();
  const other = usageEvent({ reading: reading({ model: 'other', finishReason: 'length' }) });
  const adjusted: UsageEvent = { ...reaped, kind: 'adjust', id: other.id, reason: 'wrong' };
  const late: UsageEvent = { ...reaped, kind: 'late', reading: { ...read!, model: 'ended' } };
  const batch = [reaped, late, other, adjusted];
  expect(await recordEvents(database, testBook(), batch)).toMatchObject({ inserted: 4 });
  const turns = await database.query(
    `select reservation_id as id, model, status, finish_reason as finish
     from turns join turn_metrics on turn_id = id order by reservation_id`,
  );
  expect(turns).toEqual([
    { id: reaped.id, model: 'ended', status: 'completed', finish: 'stop' },
    { id: other.id, model: 'other', status: 'completed', finish: 'length' },
  ]);
  await assertBooksBalance(database);
});

eachDatabase(
  'a token budget mirrors its total and never breaks its check',
  async ({ database }) => {
    await insertWho(database);
    await database.run(`insert into budgets (agent_id, allocated_tokens, reserved_tokens)
    values ('${WHO.agent}', 1000, 700)`);
    const read = async () => {
      const [row] = await database.query(
        'select used_tokens as used, reserved_tokens as reserved, overrun_tokens as over from budgets',
      );
      return row;
    };
    const book = testBook();
    await recordEvents(database, book, usageEvents(2, { lines: [...tokens(WHO.agent, 200)] }));
    expect(await read()).toEqual({ used: 400, reserved: 600, over: 0 });
    await recordEvents(database, book, [usageEvent({ lines: [...tokens(WHO.agent, 900, 300)] })]);
    expect(await read()).toEqual({ used: 1000, reserved: 0, over: 300 });
    const back = usageEvent({
      kind: 'adjust',
      lines: [...tokens(WHO.agent, -500)],
      reason: 'wrong',
    });
    await recordEvents(database, book, [back]);
    expect(await read()).toEqual({ used: 800, reserved: 0, over: 0 });
    const [total] = await readTotals(database, 0);
    expect(total).toMatchObject({ committed: 800, overrun: 300, adjusted: -500 });
    await assertBooksBalance(database);
  },
);

eachDatabase('the watermark rises with epoch and seq, whatever the order', async ({ database }) => {
  const book = testBook();
  await recordEvents(database, book, [usageEvent({ epoch: 2, seq: 5 })]);
  await recordEvents(database, book, [usageEvent({ epoch: 1, seq: 9 })]);
  expect(await readWatermark(database)).toEqual({ epoch: 2, seq: 5 });
  await recordEvents(database, book, [usageEvent({ epoch: 2, seq: 7 })]);
  expect(await readWatermark(database)).toEqual({ epoch: 2, seq: 7 });
});

eachDatabase(
  'events that SQL refuses are set aside, and the others are recorded',
  async ({ database }) => {
    const recorder = testRecorder(database);
    const events = usageEvents(100);
    const lines = [{ ...LINES[0]!, e: 'limit:odd', u: 'gold' as 'tokens' }];
    const half = [{ ...LINES[0]!, a: 0.5 }];
    const poison = [
      usageEvent({ lines }),
      usageEvent({ lines: half }),
      usageEvent({ id: 'no uuid' }),
    ];
    const mixed = [...events.slice(0, 40), poison[0]!, ...events.slice(40), ...poison.slice(1)];
    expect(await recorder.record(mixed)).toEqual({ inserted: 100, duplicates: 0, setAside: 3 });
    expect(recorder.dead.map(({ event }) => event.id).sort()).toEqual(
      poison.map(({ id }) => id).sort(),
    );
    await assertBooksBalance(database);
  },
);

test('a database that refuses everything is not taken for poison until the fifth time', async () => {
  const fresh = await freshPostgres();
  try {
    const { database } = fresh;
    await database.run('alter table token_usage add constraint broken check (attempts > 9)');
    const recorder = testRecorder(database);
    const events = usageEvents(50);
    for (let tries = 1; tries <= 4; tries += 1) {
      await expect(recorder.record(events)).rejects.toThrow('broken');
    }
    expect(recorder.dead).toEqual([]);
    await database.run('alter table token_usage drop constraint broken');
    expect(await recorder.record(events)).toMatchObject({ inserted: 50, setAside: 0 });
    await database.run('drop table turn_metrics');
    await expect(recorder.record(usageEvents(1))).rejects.toThrow('turn_metrics');
    expect(recorder.dead).toEqual([]);
  } finally {
    await fresh.drop();
  }
});

eachDatabase(
  'rows of a month without a partition are recorded all the same',
  async ({ database }) => {
    const id = uuidV7(Date.UTC(2031, 0, 31, 23, 59, 59, 999));
    await recordEvents(database, testBook(), [usageEvent({ id })]);
    const [row] = await database.query('select usage_date::text as day from token_usage');
    expect(row).toEqual({ day: '2031-01-31' });
    expect(await usageRow(database, id)).toMatchObject({ tokensIn: 120 });
  },
);
