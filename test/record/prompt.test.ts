import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '#src/drivers/database.js';
import { readRulesFile } from '#src/stores/prompt/rules-file.js';
import { createPromptSnapshots, type PromptSnapshot } from '#src/stores/prompt/snapshots.js';
import { createPromptTemplates } from '#src/stores/prompt/templates.js';
import { eachDatabase } from '../support/databases.js';
import { manualClock } from '../support/manual-clock.js';

const OFF = { roots: [] };
const START_MS = Date.UTC(2026, 6, 1);

async function one(database: Database, text: string, params: unknown[] = []): Promise<string> {
  const rows = await database.query<{ id: string }>(text, params);
  return rows[0]!.id;
}

async function people(database: Database) {
  const user = await one(
    database,
    `insert into users (username, email, password_hash) values ('u', 'u@x', '!') returning id`,
  );
  const project = await one(
    database,
    `insert into projects (name, owner_id) values ('p', $1) returning id`,
    [user],
  );
  const agent = await one(
    database,
    `insert into agents (name, type, project_id, system_prompt)
     values ('a', 'coder', $1, 'Be brief.') returning id`,
    [project],
  );
  return { project, agent };
}

describe('templates', () => {
  eachDatabase("come with their slots in order, the project's own first", async (fresh) => {
    const { database } = fresh;
    const { project } = await people(database);
    const add = async (projectId: string | null, positions: Record<string, number>) => {
      const id = await one(
        database,
        `insert into templates (name, project_id, max_prompt_tokens)
         values ('coder', $1, 900) returning id`,
        [projectId],
      );
      for (const [key, position] of Object.entries(positions)) {
        await database.query(
          `insert into prompt_templates (template_id, slot_id, position)
           select $1, id, $3 from slots where key = $2 and project_id is null`,
          [id, key, position],
        );
      }
    };
    await add(null, { history: 0 });
    await add(project, { input: 7, system: 2, history: 5 });
    const clock = manualClock(START_MS);
    const templates = createPromptTemplates({ database, clock, rulesFiles: OFF });
    const own = await templates.template('coder', project);
    expect(own?.slots.map(({ key }) => key)).toEqual(['system', 'history', 'input']);
    expect(own?.maxPromptTokens).toBe(900);
    expect(own?.slots[0]).toEqual({
      key: 'system',
      category: 'system',
      priority: 100,
      source: 'system_prompt',
      content: null,
      mustKeep: true,
      minChars: 400,
      softMaxChars: null,
    });
    const other = await templates.template('coder', undefined);
    expect(other?.slots.map(({ key }) => key)).toEqual(['history']);
    expect(await templates.template('none', project)).toBeUndefined();
  });

  eachDatabase(
    'memory comes by importance, without what has expired or is not its',
    async (fresh) => {
      const { database } = fresh;
      const { project, agent } = await people(database);
      const remember = (key: string, importance: number | null, more = 'null, null') =>
        database.query(
          `insert into agent_memory (agent_id, category, key, value, importance, project_id,
           expires_at) values ($1, 'c', $2, $3, $4, ${more})`,
          [agent, key, { z: 1, a: ['x'] }, importance],
        );
      await remember('low', 1);
      await remember('unsaid', null, `'${project}', null`);
      await remember('high', 9, `null, '2026-07-01T00:00:01Z'`);
      await remember('gone', 10, `null, '2026-07-01T00:00:00Z'`);
      const clock = manualClock(START_MS);
      const templates = createPromptTemplates({ database, clock, rulesFiles: OFF });
      const texts = await templates.agentTexts(agent);
      expect(texts.systemPrompt).toBe('Be brief.');
      expect(texts.rulesFile).toEqual({ kind: 'none' });
      expect(texts.memory.split('\n').map((line) => line.slice(0, 11))).toEqual([
        '- c/high: {',
        '- c/unsaid:',
        '- c/low: {"',
        '',
      ]);
    },
  );

  test('are read once a moment, and the last ones are used while SQL is away', async () => {
    let reads = 0;
    let away = false;
    const query = async () => {
      reads += 1;
      if (away) throw new Error('away');
      return [] as never[];
    };
    const database = { query } as unknown as Database;
    const clock = manualClock(START_MS);
    const templates = createPromptTemplates({ database, clock, rulesFiles: OFF });
    await Promise.all([templates.template('t', 'p'), templates.template('t', 'p')]);
    await templates.template('t', 'p');
    expect(reads).toBe(1);
    clock.advance(1_000);
    away = true;
    expect(await templates.template('t', 'p')).toBeUndefined();
    expect(reads).toBe(2);
    clock.advance(300_000);
    await expect(templates.template('t', 'p')).rejects.toThrow('away');
    await expect(templates.template('other', 'p')).rejects.toThrow('away');
  });
});

describe('a rules file', () => {
  let root: string;
  const project = () => join(root, 'roots', 'project');
  const read = (path: string, roots = [join(root, 'roots')], bytesMax = 20) =>
    readRulesFile({ roots, bytesMax }, project(), path);

  beforeAll(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'purser-rules-')));
    await mkdir(join(project(), 'docs'), { recursive: true });
    await writeFile(join(root, 'secret'), 'secret');
    await writeFile(join(project(), 'docs', 'rules.md'), 'Be kind. é\n');
    await writeFile(join(project(), 'long.md'), 'x'.repeat(21));
    await writeFile(join(project(), 'full.md'), 'x'.repeat(20));
    await writeFile(join(project(), 'bytes.md'), Buffer.from([0xff, 0xfe]));
    await symlink(join(root, 'secret'), join(project(), 'link.md'));
    await symlink(join(project(), 'docs', 'rules.md'), join(project(), 'inner.md'));
    await symlink(root, join(project(), 'out'));
    await symlink(root, join(root, 'roots', 'elsewhere'));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  test('is read inside its project inside a root', async () => {
    const text = { kind: 'text', text: 'Be kind. é\n' };
    expect(await read('docs/rules.md')).toEqual(text);
    expect(await read('inner.md')).toEqual(text);
    expect(await read(join(project(), 'docs', 'rules.md'))).toEqual(text);
    expect(await read('full.md')).toEqual({ kind: 'text', text: 'x'.repeat(20) });
  });

  test('is off without roots', async () => {
    expect(await read('docs/rules.md', [])).toEqual({ kind: 'none' });
  });

  test.each([
    ['link.md', 'it is not inside its project'],
    ['../../secret', 'it is not inside its project'],
    ['out/secret', 'it is not inside its project'],
    ['docs', 'it is not a file'],
    ['long.md', 'it has more than 20 bytes'],
    ['bytes.md', 'it is not UTF-8'],
    ['none.md', 'it cannot be read (ENOENT)'],
  ])('%s is not read: %s', async (path, reason) => {
    expect(await read(path)).toEqual({ kind: 'unreadable', reason });
  });

  test('is not read where its project lies outside of all roots, also by a link', async () => {
    const reason = 'its project is in none of the configured roots';
    expect(await read('docs/rules.md', [join(root, 'other')])).toEqual({
      kind: 'unreadable',
      reason,
    });
    const linked = join(root, 'roots', 'elsewhere');
    const options = { roots: [join(root, 'roots')] };
    expect(await readRulesFile(options, linked, 'secret')).toEqual({ kind: 'unreadable', reason });
    expect(await readRulesFile(options, null, 'secret')).toMatchObject({ kind: 'unreadable' });
  });
});

describe('snapshots', () => {
  const ID = '01980000-0000-7000-8000-000000000001';
  const report = {
    before: 9,
    after: 5,
    trims: [{ key: 'history', removed_chars: 8, removed_tokens: 4 }],
    warnings: [],
  };
  const snapshot = (more: Partial<PromptSnapshot> = {}): PromptSnapshot => ({
    reservationId: ID,
    agentId: null,
    templateId: null,
    prompt: Buffer.from('[{"role":"user"}]'),
    report,
    ...more,
  });
  const silent = { debug() {}, info() {}, warn() {}, error() {} };

  eachDatabase('are written once, with a hash, and find their turn later', async (fresh) => {
    const { database } = fresh;
    const { agent } = await people(database);
    const clock = manualClock(START_MS);
    const snapshots = createPromptSnapshots({ database, clock, log: silent, keepText: false });
    snapshots.keep(snapshot({ agentId: agent, templateId: ID }));
    snapshots.keep(snapshot());
    await snapshots.flush();
    snapshots.keep(snapshot());
    await snapshots.flush();
    const read = () => database.query('select * from prompt_snapshots');
    const rows = await read();
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      id: ID,
      reservation_id: ID,
      turn_id: null,
      agent_id: agent,
      template_id: null,
      prompt: null,
      budget_report: report,
    });
    expect(rows[0]!.prompt_hash).toMatch(/^[0-9a-f]{64}$/);
    await database.query(`insert into turns (reservation_id, model) values ($1, 'm')`, [ID]);
    await snapshots.close();
    expect((await read())[0]!.turn_id).not.toBeNull();
    expect(snapshots.state()).toEqual({ waiting: 0, dropped: 0 });
  });

  eachDatabase('have their text where it is asked for', async (fresh) => {
    const { database } = fresh;
    const clock = manualClock(START_MS);
    const snapshots = createPromptSnapshots({ database, clock, log: silent, keepText: true });
    snapshots.keep(snapshot({ prompt: Buffer.from('a\u0000b') }));
    await snapshots.close();
    const [row] = await database.query<{ prompt: string }>('select prompt from prompt_snapshots');
    expect(row!.prompt).toBe('a\ufffdb');
  });

  test('wait while SQL is away, and only the oldest are given up', async () => {
    let away = true;
    const written: unknown[] = [];
    const query = async (_: string, params: unknown[]) => {
      if (away) throw new Error('away');
      written.push(...(params[0] as string[]));
      return [];
    };
    const database = { query } as unknown as Database;
    const clock = manualClock(START_MS);
    const options = { database, clock, log: silent, keepText: false, rowsMax: 2 };
    const snapshots = createPromptSnapshots(options);
    for (const reservationId of ['r1', 'r2', 'r3']) snapshots.keep(snapshot({ reservationId }));
    await expect(snapshots.flush()).rejects.toThrow('away');
    expect(snapshots.state()).toEqual({ waiting: 2, dropped: 1 });
    away = false;
    await snapshots.close();
    expect(written.slice(0, 2)).toEqual(['r2', 'r3']);
  });
});
