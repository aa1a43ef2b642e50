// The admin API as it describes itself: the document is valid, and every operation of it is called
// with bodies made from it. None fails, some body of each succeeds, what it answers is as described,
// a read shows what was written, and every write has its line in the audit log.

import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { answering, type Story, startStory } from '../support/gateway.js';
import { type Hints, likely } from '../support/openapi/bodies.js';
import {
  type Check,
  checkOf,
  type Document,
  type Operation,
  shownOtherwise,
} from '../support/openapi/checks.js';
import { ASK, admin } from '../support/policy.js';

vi.setConfig({ testTimeout: 120_000 });

const SEED = Number(process.env.FC_SEED ?? 6);
const TRIES = 80;
const ENOUGH = 3;

let story: Story;
afterEach(() => story.end());

type Row = Record<string, unknown> & { id: string };

interface World {
  document: Document;
  check: Check;
  hints: Hints;
  /** Ids of what was made, by the path of its list. */
  made: Map<string, string[]>;
}

async function start(): Promise<Document> {
  story = await startStory({
    limits: [],
    config: { agents: [{ name: 'coder-1', type: 'coder', project: 'demo' }] },
  });
  story.upstream.plan(answering({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }));
  const answer = await fetch(`${story.gateway.operatorAddress}/openapi.json`);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Document;
}

test('the document is valid OpenAPI 3.1, and its page is made without another server', async () => {
  const document = await start();
  const found = await new Validator().validate({ ...document });
  expect(found).toMatchObject({ valid: true });
  expect(document.openapi).toBe('3.1.0');
  expect(JSON.stringify(document)).not.toContain('#/$defs');
  const operations = Object.values(document.paths).flatMap((one) => Object.values(one));
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.length).toBeGreaterThan(90);
  const page = await fetch(`${story.gateway.operatorAddress}/docs`);
  expect(page.status).toBe(200);
  expect(await page.text()).not.toMatch(/<script|https?:\/\//);
});

test('finance reads all and writes nothing, agents do neither, nobody is nobody', async () => {
  const document = await start();
  const { key: finance } = await admin(story, 'POST', '/keys', {
    name: 'books',
    kind: 'admin',
    role: 'finance',
  });
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const at = path.replace('{id}', NOBODY).replace('{key}', '4');
      const as = async (key: string | undefined) => {
        const answer = await fetch(`${story.gateway.operatorAddress}${at}`, {
          method: method.toUpperCase(),
          ...(key !== undefined && { headers: { authorization: `Bearer ${key}` } }),
        });
        await answer.arrayBuffer();
        return answer.status;
      };
      const isWrite = operation['x-purser-kind'] === 'write';
      expect((await as(finance)) === 403, `finance: ${method} ${path}`).toBe(isWrite);
      expect(await as(story.key), `an agent: ${method} ${path}`).toBe(403);
      expect(await as(undefined), `nobody: ${method} ${path}`).toBe(401);
    }
  }
});

/** Something of everything that bodies may name. */
async function openWorld(document: Document): Promise<World> {
  const make = async (path: string, body: object) =>
    ((await admin(story, 'POST', path, body)) as Row).id;
  const [own] = (await admin(story, 'GET', '/agents')).data as Row[];
  const project = await make('/projects', { name: 'made' });
  const user = await make('/users', { username: 'ada', email: 'ada@localhost' });
  const agents = [
    own!.id,
    await make('/agents', { name: 'b', type: 'tester', project_id: project }),
  ];
  const persons: string[] = [];
  const occasions: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    persons.push(await make('/persons', { name, external_id: `of ${name}` }));
    occasions.push(await make('/occasions', { name, external_id: `of ${name}` }));
  }
  await make('/slots', { key: 'given', category: 'context' });
  for (const id of agents) await make('/budgets/allocate', { agent_id: id, tokens: 1_000_000 });
  const agent = fc.constantFrom(...agents);
  const holder = fc.constant(user);
  const hints: Hints = {
    agent_id: agent,
    from_agent_id: agent,
    to_agent_id: agent,
    assigned_to_agent_id: agent,
    created_by_agent_id: agent,
    project_id: fc.constant(project),
    owner_id: holder,
    user_id: holder,
    created_by_user_id: holder,
    person_id: fc.constantFrom(...persons),
    occasion_id: fc.constantFrom(...occasions),
    time_zone: fc.constantFrom('Europe/Berlin', 'UTC', 'America/New_York'),
    zone: fc.constantFrom('Europe/Berlin', 'UTC'),
    slots: fc.constantFrom([], ['given']),
    csv: fc.constantFrom(
      'EUR,2026-01-01,1.1',
      'currency,valid_from,usd_per_unit\nGBP,2026-01-01,2',
    ),
    group_by: fc.constantFrom('agent,day', 'model', 'tag:team,month'),
    tag: fc.constantFrom('team=core', ''),
    format: fc.constant('json'),
    cursor: fc.constant(undefined),
    budget_currency: fc.constant('USD'),
    scope_type: fc.constantFrom('global', 'person', 'agent_type'),
  };
  return { document, check: checkOf(document), hints, made: new Map() };
}

/** Shapes that a schema cannot tell: which members go together. */
const SHAPES: Record<string, (hints: Hints) => fc.Arbitrary<unknown>> = {
  post_limits: () =>
    fc.record({
      scope_type: fc.constantFrom('person', 'task', 'tag'),
      scope_key: fc.constantFrom('team=*', 'team=core'),
      period: fc.constantFrom('daily', 'monthly', 'ever'),
      amount_usd: fc.constantFrom('1.5', 2, '0.000000001'),
      name: fc.uuid(),
    }),
  post_keys: (hints) => fc.record({ name: fc.uuid(), agent_id: hints.agent_id! }),
  post_prompts_preview: (hints) =>
    fc.record({
      agent_id: hints.agent_id!,
      body: fc.constant({ model: 'scripted/model', messages: ASK.messages }),
    }),
};

interface Asked {
  status: number;
  body: Row;
  requestId: string | null;
}

async function ask(method: string, path: string, body?: unknown): Promise<Asked> {
  const answer = await story.admin(method.toUpperCase(), path, body);
  const json = (await answer.json()) as Row;
  return { status: answer.status, body: json, requestId: answer.headers.get('x-request-id') };
}

function bodiesOf(operation: Operation, world: World): unknown[] {
  const schema = operation.requestBody?.content['application/json'].schema;
  if (!schema) return Array(ENOUGH).fill(undefined);
  const shape = SHAPES[operation.operationId]?.(world.hints);
  const made = likely(schema, world.hints);
  const plan = shape ? fc.oneof(shape, made) : made;
  const any = fc.jsonValue({ maxDepth: 2 });
  return [
    ...fc.sample(any, { numRuns: 3, seed: SEED }),
    ...fc.sample(plan, { numRuns: TRIES, seed: SEED }),
  ];
}

function queriesOf({ parameters = [] }: Operation, world: World): string[] {
  const asked = parameters.filter((parameter) => parameter.in === 'query');
  if (asked.length === 0) return [''];
  const properties = Object.fromEntries(asked.map(({ name, schema }) => [name, schema]));
  const made = likely({ type: 'object', properties }, world.hints) as fc.Arbitrary<object>;
  return fc.sample(made, { numRuns: 20, seed: SEED }).map((members) => {
    const given = Object.entries(members).filter(([, value]) => value !== undefined);
    const query = new URLSearchParams(
      Object.fromEntries(given.map(([name, value]) => [name, String(value)])),
    );
    return `?${query}`;
  });
}

/** Calls one operation until it has succeeded often enough; answers how often it did. */
async function exercise(
  world: World,
  path: string,
  method: string,
  operation: Operation,
): Promise<number> {
  const list = path.split('/{')[0]!;
  const ids = world.made.get(list) ?? [];
  const isRead = method === 'get';
  let done = 0;
  const tries = isRead
    ? queriesOf(operation, world).map((query) => ({ query, body: undefined }))
    : bodiesOf(operation, world).map((body) => ({ query: '', body }));
  for (const { query, body } of tries) {
    if (done >= ENOUGH) break;
    const id = method === 'delete' ? ids.pop() : ids.at(-1);
    const key = path.startsWith('/tiers') ? '4' : 'x';
    const at = path.replace('{id}', id ?? NOBODY).replace('{key}', key);
    const answer = await ask(method, at + query, body);
    const what = `${method} ${at}${query} ${JSON.stringify(body)} -> ${JSON.stringify(answer.body)}`;
    expect(answer.status, what).toBeLessThan(500);
    world.check(operation, answer.status, answer.body, what);
    if (answer.status >= 300) continue;
    done += 1;
    if (operation['x-purser-kind'] === 'write') {
      await expectTrace(world, { method, path, list, at, body }, answer, what);
    }
  }
  return done;
}

const NOBODY = '00000000-0000-4000-8000-000000000001';

async function expectTrace(
  world: World,
  {
    method,
    path,
    list,
    at,
    body,
  }: Record<'method' | 'path' | 'list' | 'at', string> & {
    body: unknown;
  },
  answer: Asked,
  what: string,
): Promise<void> {
  const audit = (await ask('GET', '/audit?limit=5')).body.data as Row[];
  expect(
    audit.map((line) => line.request_id),
    what,
  ).toContain(answer.requestId);
  const one = world.document.paths[`/admin/v1${list}/{id}`]?.get;
  const makes = method === 'post' && path === list && one !== undefined;
  if (makes) world.made.set(list, [...(world.made.get(list) ?? []), answer.body.id]);
  if (makes || method === 'patch') {
    const { key, ...row } = answer.body;
    const shown = await ask('GET', makes ? `${list}/${row.id}` : at);
    expect(shown.body, what).toEqual(
      list === '/keys' ? row : { ...row, ...(key !== undefined && { key }) },
    );
    const sent = body === undefined ? {} : JSON.parse(JSON.stringify(body));
    expect(shownOtherwise(sent, shown.body), what).toEqual([]);
  }
  if (method === 'delete' && at !== list) {
    const { status, body: rest } = await ask('GET', at);
    const isOver =
      rest.is_active === false || rest.status === 'archived' || typeof rest.revoked_at === 'string';
    expect(status === 404 || isOver, what).toBe(true);
  }
}

/** What makes something comes first, what ends something last. */
function turn({ path, method }: { path: string; method: string }): number {
  const last = ['/revoke', '/release'].findIndex((end) => path.endsWith(end));
  return last < 0 ? ['post', 'get', 'patch', '/revoke', 'delete'].indexOf(method) : 3 + 2 * last;
}

test('no body makes an operation fail, some body of each succeeds, and every write is on record', async () => {
  const world = await openWorld(await start());
  const operations = Object.entries(world.document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path: path.replace('/admin/v1', ''),
      method,
      operation,
    })),
  );
  operations.sort((one, other) => turn(one) - turn(other));
  // A call under way, which is what a reservation is; it is released in the end.
  story.upstream.enqueue({ ...answering({ prompt_tokens: 1, completion_tokens: 1 }), hold: true });
  const call = story.post(ASK);
  await story.upstream.received(1);
  const [held] = (await admin(story, 'GET', '/reservations')).data as Row[];
  world.made.set('/reservations', [held!.id]);
  await noteSomething();
  for (const path of ['/notifications', '/budgets']) {
    const { data } = await admin(story, 'GET', path);
    world.made.set(
      path,
      (data as Row[]).map(({ id }) => id),
    );
  }
  const seldom: string[] = [];
  for (const { path, method, operation } of operations) {
    const done = await exercise(world, path, method, operation);
    if (done === 0) seldom.push(`${method} ${path}`);
  }
  story.upstream.release();
  await (await call).text();
  expect(seldom, 'operations of which no body succeeded').toEqual([]);
});

/** A notification, of which the API makes none. */
async function noteSomething(): Promise<void> {
  await story.database.query(
    `insert into notifications (type, title, message, user_id)
     select 'budget.exhausted', 'all', 'is spent', id from users limit 1`,
  );
}
