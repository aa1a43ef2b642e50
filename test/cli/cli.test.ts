// The command line against a scripted gateway: what it asks, what it prints, how it fails.

import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OperatorError } from '#src/core/errors.js';
import type { Json } from '#src/core/json.js';
import { runCli } from '#src/edges/cli/cli.js';
import type { CliDeps, CliSettings } from '#src/edges/cli/deps.js';
import { buildCatalog } from '#src/rules/catalog/catalog.js';

interface Asked {
  method: string;
  path: string;
  body: Json | undefined;
  authorization: string | undefined;
  once: string | string[] | undefined;
}

const NOW_MS = Date.parse('2026-11-21T12:00:00Z');
let server: Server;
let origin: string;
let folder: string;
let asked: Asked[];
/** Answers by `METHOD /path`, query left out; a status other than 200 stands before the body. */
let answers: Record<string, Json | [number, Json]>;
let printed: { out: string; err: string };

beforeEach(async () => {
  asked = [];
  answers = { 'GET /healthz': { status: 'ok' } };
  printed = { out: '', err: '' };
  folder = mkdtempSync(join(tmpdir(), 'purser-cli-'));
  server = createServer(async (request, response) => {
    const { method = '', url = '' } = request;
    const text = await readAll(request);
    const { authorization, 'idempotency-key': once } = request.headers;
    if (url !== '/healthz') {
      const body = text ? JSON.parse(text) : undefined;
      asked.push({ method, path: url, body, authorization, once });
    }
    const found = answers[`${method} ${url.split('?')[0]}`];
    const [status, body] = Array.isArray(found) ? (found as [number, Json]) : [200, found];
    response.writeHead(found === undefined ? 404 : status);
    response.end(JSON.stringify(body ?? { error: { message: 'There is no such thing.' } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function deps(more: Partial<CliDeps> = {}, settings: Partial<CliSettings> = {}): CliDeps {
  const output = (name: 'out' | 'err') => ({
    write(text: string) {
      printed[name] += text;
    },
    isTTY: false,
    columns: 100,
  });
  const unused = () => {
    throw new Error('not expected to be called');
  };
  return {
    version: '0.1.0',
    out: output('out'),
    err: output('err'),
    clock: { nowMs: () => NOW_MS, elapsedMs: () => 0, every: unused, after: unused },
    settings: () => ({
      configFile: '/etc/gateway.yaml',
      warnings: [],
      origin,
      adminKey: 'the-admin-key',
      adminKeyFile: join(folder, 'admin-key'),
      dataDir: folder,
      ledger: 'memory',
      database: 'embedded',
      providers: [],
      ...settings,
    }),
    start: unused,
    openLocal: unused,
    openMigrator: unused,
    openCatalog: unused,
    changeCatalog: unused,
    ...more,
  };
}

function purser(line: string, more: Partial<CliDeps> = {}): Promise<number> {
  return runCli(line.split(' ').filter(Boolean), deps(more));
}

const AGENTS = {
  data: [
    { id: 'a1', name: 'coder-1', project_id: 'p1' },
    { id: 'a2', name: 'tester', project_id: 'p1' },
    { id: 'a3', name: 'tester', project_id: 'p2' },
  ],
};
const PROJECTS = {
  data: [
    { id: 'p1', name: 'demo' },
    { id: 'p2', name: 'other' },
  ],
};

describe('help', () => {
  test('without a command it lists them', async () => {
    expect(await purser('')).toBe(0);
    expect(printed.out).toMatchInlineSnapshot(`
      "The LLM gateway that holds the purse (0.1.0)

      Usage: purser COMMAND

      Commands:
        start        Start the gateway
        doctor       Check what the gateway needs, and say what was seen
        migrate      The database's schema
        key          Keys of agents and operators
        limit        What may be spent
        budget       Tokens that agents may use in all
        calls        Stop all calls, and take them again
        usage        What was spent
        price        The price catalog
        reservation  What is held now
        prompt       Prompts before they are sent
        memory       What agents have noted
        occasion     What persons may spend on occasions

      \`purser COMMAND --help\` tells more.
      "
    `);
  });

  test('every command answers --help without asking anything of anybody', async () => {
    const lines = [
      'start',
      'doctor',
      'migrate up',
      'migrate down',
      'migrate status',
      'migrate verify',
      'key create',
      'key list',
      'key rotate',
      'key revoke',
      'limit list',
      'limit set',
      'usage',
      'price list',
      'price show',
      'price explain',
      'price update',
      'reservation list',
      'reservation release',
      'prompt preview',
      'budget list',
      'budget allocate',
      'budget move',
      'memory list',
      'memory add',
      'memory remove',
      'occasion list',
      'occasion spend',
    ];
    for (const line of lines) {
      printed.out = '';
      expect(await purser(`${line} --help`), line).toBe(0);
      expect(printed.out).toContain(`Usage: purser ${line} `);
      if (line !== 'start') expect(printed.out).toContain('--json');
    }
    expect(asked).toEqual([]);
  });

  test('the help of one command', async () => {
    await purser('limit set --help');
    expect(printed.out).toMatchInlineSnapshot(`
      "Change a limit, or make it

      Usage: purser limit set --scope <scope> [FLAGS]

      Flags:
        --json                 Print JSON instead of text
        --config <file>        Configuration to read
        --url <url>            Gateway to speak to
        --scope <scope>        global, project, agent, agent_type, person, tag, model ... (needed)
        --value <name>         Which one: coder-1, demo/coder-1; * is each on its own
        --usd <decimal>        Amount in USD
        --tokens <count>       Amount in tokens
        --requests <count>     Amount in requests
        --concurrency <count>  Calls at once
        --period <period>      minutely to monthly, or ever
        --warn                 Only tell, do not refuse
      "
    `);
  });

  test.each([
    ['kye list', 'purser has no command kye', 'Did you mean `purser key`?'],
    ['key lsit', 'purser key has no command lsit', 'Did you mean `purser key list`?'],
    ['key list --jsno', 'purser key list has no flag --jsno', 'Did you mean --json?'],
    ['key list more', 'purser key list was given too many words', 'purser key list --help'],
    ['limit set --scope', '--scope needs a value', 'purser limit set --help'],
    ['limit set', 'Missing required argument: --scope', '--help'],
    ['key revoke', 'Missing required positional argument: KEY', '--help'],
  ])('%s is not understood, with a way out', async (line, message, remedy) => {
    expect(await purser(line)).toBe(2);
    expect(printed.err).toContain(message);
    expect(printed.err).toContain(remedy);
    expect(asked).toEqual([]);
  });
});

describe('with a gateway that runs', () => {
  test('a list is a table, or JSON as it came, with the admin key sent along', async () => {
    const key = {
      id: 'k1',
      prefix: 'sk-purser-abc',
      name: 'first',
      agent_id: 'a1',
      role: null,
      expires_at: null,
      disabled_at: null,
      revoked_at: null,
      grace_until: null,
      last_used_at: '2026-11-21T09:41:07.000Z',
    };
    answers['GET /admin/v1/agents'] = AGENTS;
    answers['GET /admin/v1/keys'] = {
      data: [
        key,
        { ...key, id: 'k2', name: 'old\u001b[31m', revoked_at: '2026-01-01T00:00:00Z' },
        { ...key, id: 'k3', name: 'late', expires_at: '2026-11-21T11:59:59Z' },
      ],
      next_cursor: null,
    };
    expect(await purser('key list')).toBe(0);
    expect(printed.out).toMatchInlineSnapshot(`
      "KEY            NAME      HOLDER   STATE    EXPIRES           LAST USED         ID
      sk-purser-abc  first     coder-1  active   -                 2026-11-21 09:41  k1
      sk-purser-abc  old [31m  coder-1  revoked  -                 2026-11-21 09:41  k2
      sk-purser-abc  late      coder-1  expired  2026-11-21 11:59  2026-11-21 09:41  k3
      "
    `);
    expect(asked[0]?.authorization).toBe('Bearer the-admin-key');
    printed.out = '';
    await purser('key list --json');
    expect(JSON.parse(printed.out).data).toHaveLength(3);
  });

  test('all pages of a list are read', async () => {
    let page = 0;
    const list: Json[] = [
      { data: [{ name: 'one', origin: 'api', is_active: true }], next_cursor: 'c/1' },
      { data: [{ name: 'two', origin: 'api', is_active: false }], next_cursor: null },
    ];
    Object.defineProperty(answers, 'GET /admin/v1/limits', { get: () => list[page++] });
    await purser('limit list --json --all');
    expect(JSON.parse(printed.out).data.map((row: { name: string }) => row.name)).toEqual([
      'one',
      'two',
    ]);
    expect(asked.map((one) => one.path)).toEqual([
      '/admin/v1/limits?limit=200',
      '/admin/v1/limits?limit=200&cursor=c%2F1',
    ]);
  });

  test('a key is made for the agent of that name, and shown', async () => {
    answers['GET /admin/v1/agents'] = AGENTS;
    answers['GET /admin/v1/projects'] = PROJECTS;
    answers['POST /admin/v1/keys'] = [201, { id: 'k9', key: 'sk-purser-secret' }];
    expect(await purser('key create --agent other/tester --models gpt-*,sandbox/echo')).toBe(0);
    expect(asked.at(-1)?.body).toEqual({
      name: 'other/tester',
      kind: 'agent',
      agent_id: 'a3',
      allowed_models: ['gpt-*', 'sandbox/echo'],
    });
    expect(printed.out).toMatch(/^sk-purser-secret\n/);
  });

  test('an agent that does not exist, or twice, is told before anything is changed', async () => {
    answers['GET /admin/v1/agents'] = AGENTS;
    expect(await purser('key create --agent codre-1')).toBe(1);
    expect(printed.err).toBe('purser: there is no agent codre-1\nDid you mean coder-1?\n');
    printed.err = '';
    expect(await purser('key create --agent tester')).toBe(1);
    expect(printed.err).toBe('purser: there are 2 of tester\nWrite project/agent.\n');
    expect(asked.every((one) => one.method === 'GET')).toBe(true);
  });

  test('a limit that is there is changed, another is made, blocking unless told to warn', async () => {
    const row = {
      id: 'l1',
      name: 'global/usd/daily',
      scope_type: 'global',
      scope_id: null,
      scope_agent_type: null,
      scope_key: null,
      amount_usd: '5.000000',
      amount_tokens: null,
      period: 'daily',
      action_on_exceed: 'block',
      is_active: true,
    };
    answers['GET /admin/v1/limits'] = { data: [row] };
    answers['GET /admin/v1/agents'] = AGENTS;
    answers['PATCH /admin/v1/limits/l1'] = { ...row, amount_usd: '7.500000' };
    answers['POST /admin/v1/limits'] = [201, { ...row, id: 'l2' }];
    expect(await purser('limit set --scope global --usd 7.5 --period daily')).toBe(0);
    expect(printed.out).toBe('global/usd/daily: 7.500000 USD, block when exceeded (l1)\n');
    expect(asked.at(-1)).toMatchObject({
      method: 'PATCH',
      body: { amount_usd: '7.5', action_on_exceed: 'block' },
    });
    await purser('limit set --scope global --tokens 1000 --period daily --warn');
    expect(asked.at(-1)).toMatchObject({
      method: 'POST',
      body: {
        scope_type: 'global',
        amount_tokens: 1000,
        period: 'daily',
        action_on_exceed: 'warn',
      },
    });
    await purser('limit set --scope agent --value coder-1 --concurrency 3');
    expect(asked.at(-1)?.body).toMatchObject({ scope_id: 'a1', period: 'ever' });
  });

  test.each([
    ['limit set --scope global --usd 1', 'Give --period'],
    ['limit set --scope global --period daily', 'Give one of --usd'],
    ['limit set --scope global --usd 1 --tokens 2 --period daily', 'Give one of --usd'],
    ['limit set --scope global --tokens 1.5 --period daily', 'Give a whole number'],
    ['limit set --scope person --usd 1 --period daily', 'Give it with --value'],
    ['usage --since yesterday', 'Write 30m, 24h, 7d'],
    ['key create', 'Give either --agent or --role'],
  ])('%s fails with: %s', async (line, remedy) => {
    expect(await purser(line)).toBe(1);
    expect(printed.err).toContain(remedy);
    expect(asked).toEqual([]);
  });

  describe('usage', () => {
    const sums = { calls: 2, rows: 3, tokens_in: 2000, tokens_out: 1000 };
    const REPORT = {
      object: 'usage_report',
      group_by: ['provider', 'model'],
      columns: ['provider', 'model', 'calls', 'cost_usd'],
      data: [
        { provider: 'sandbox', model: 'echo', ...sums, cost_usd: '0.300000003' },
        { provider: 'sandbox', model: '=lorem', ...sums, cost_usd: '0.050000000' },
      ],
      total: { calls: 4, cost_usd: '0.350000003' },
      complete: true,
    };

    test('is summed by the gateway and shown with bars', async () => {
      answers['GET /admin/v1/usage'] = REPORT;
      expect(await purser('usage --since 2h')).toBe(0);
      expect(printed.out).toMatchInlineSnapshot(`
        "PROVIDER  MODEL   CALLS  TOKENS IN  TOKENS OUT          USD
        sandbox   echo        2      2 000       1 000  0.300000003  ████████████████████
        sandbox   =lorem      2      2 000       1 000     0.050000  ███░░░░░░░░░░░░░░░░░
        4 calls, 0.350000003 USD in all.
        "
      `);
      expect(asked[0]?.path).toBe(
        '/admin/v1/usage?group_by=provider%2Cmodel&since=2026-11-21T10%3A00%3A00.000Z&zone=UTC',
      );
    });

    test('passes on what is grouped, filtered and when; a day stays a day of the zone', async () => {
      answers['GET /admin/v1/usage'] = REPORT;
      const by = '--by agent-type,tag:team,day --since 2026-11-01 --until 1h';
      const of = '--zone Europe/Berlin --agent-type coder --pull-request 7 --tag team=core';
      expect(await purser(`usage ${by} ${of}`)).toBe(0);
      const { searchParams } = new URL(asked[0]?.path ?? '', origin);
      expect(Object.fromEntries(searchParams)).toEqual({
        group_by: 'agent_type,tag:team,day',
        since: '2026-11-01',
        until: '2026-11-21T11:00:00.000Z',
        zone: 'Europe/Berlin',
        agent_type: 'coder',
        pull_request: '7',
        tag: 'team=core',
      });
    });

    test('as CSV has a header, exact sums, and no formulas', async () => {
      answers['GET /admin/v1/usage'] = REPORT;
      expect(await purser('usage --csv')).toBe(0);
      expect(printed.out).toBe(
        "provider,model,calls,cost_usd\r\nsandbox,echo,2,0.300000003\r\nsandbox,'=lorem,2,0.050000000\r\n",
      );
    });

    test('call by call shows the newest rows', async () => {
      answers['GET /admin/v1/agents'] = AGENTS;
      answers['GET /admin/v1/usage/rows'] = {
        data: [
          {
            ...{ timestamp: '2026-11-21T11:59:00Z', agent_id: 'a1', provider: 'sandbox' },
            ...{ model: 'echo', tokens_in: 10, tokens_out: 20, cost_usd: '0.000010000' },
            ...{ usage_source: 'provider', outcome: 'completed' },
          },
        ],
      };
      expect(await purser('usage --calls')).toBe(0);
      expect(printed.out).toContain('sandbox/echo  10   20  0.000010  provider     completed');
    });
  });

  test('prompt preview shows what would be sent and what would be trimmed', async () => {
    const file = join(folder, 'body.json');
    writeFileSync(file, '{"messages":[{"role":"user","content":"Hi"}],"purser":{"slots":{}}}');
    answers['GET /admin/v1/agents'] = { data: [{ id: 'a1', name: 'coder-1' }] };
    answers['POST /admin/v1/prompts/preview'] = {
      messages: [{ role: 'user', content: 'Hi' }],
      report: {
        before: 1_200,
        after: 9,
        trims: [{ key: 'history', removed_chars: 4_000, removed_tokens: 1_191 }],
        warnings: ['min_chars_reduced'],
      },
    };
    const line = `prompt preview coder-1 --template t --max-tokens 9 --model m --body ${file}`;
    expect(await purser(line)).toBe(0);
    expect(asked.at(-1)?.body).toEqual({
      agent_id: 'a1',
      body: {
        model: 'm',
        messages: [{ role: 'user', content: 'Hi' }],
        purser: { slots: {}, template: 't', max_prompt_tokens: 9 },
      },
    });
    for (const part of ['user      2  Hi', 'history   1 191  4 000', 'min_chars_reduced']) {
      expect(printed.out).toContain(part);
    }
    expect(printed.out).toContain('1 200 tokens, 9 sent');
    expect(await purser('prompt preview coder-1 --max-tokens many')).toBe(1);
    expect(printed.err).toContain('--max-tokens many is no count');
  });

  test('budget allocate says how many more or how many in all, budget move takes and gives', async () => {
    answers['GET /admin/v1/agents'] = AGENTS;
    answers['GET /admin/v1/projects'] = PROJECTS;
    const row = { allocated_tokens: 600_000, remaining_tokens: 500_000 };
    answers['POST /admin/v1/budgets/allocate'] = row;
    answers['POST /admin/v1/budgets/move'] = { from: row, to: row };
    expect(await purser('budget allocate coder-1 +500000')).toBe(0);
    expect(asked.at(-1)?.body).toEqual({ agent_id: 'a1', more_tokens: 500_000 });
    expect(printed.out).toBe('coder-1: 500 000 of 600 000 tokens left\n');
    expect(await purser('budget allocate demo/tester =7')).toBe(0);
    expect(asked.at(-1)?.body).toEqual({ agent_id: 'a2', tokens: 7 });
    expect(await purser('budget move coder-1 other/tester 9')).toBe(0);
    expect(asked.at(-1)?.body).toEqual({ from_agent_id: 'a1', to_agent_id: 'a3', tokens: 9 });
    expect(await purser('budget allocate coder-1 many')).toBe(1);
    expect(printed.err).toContain('Write +500000 for more, =500000 for so many in all.');
  });

  test('memory adds, lists and removes what an agent has noted', async () => {
    answers['GET /admin/v1/agents'] = AGENTS;
    const note = { id: 'm1', category: 'style', key: 'tabs', importance: 9, expires_at: null };
    answers['POST /admin/v1/agent-memory'] = { ...note, value: 'no' };
    answers['GET /admin/v1/agent-memory'] = { data: [{ ...note, value: { tabs: false } }] };
    answers['DELETE /admin/v1/agent-memory/m1'] = note;
    expect(await purser('memory add coder-1 style/tabs no --importance 9')).toBe(0);
    const said = { agent_id: 'a1', category: 'style', key: 'tabs' };
    expect(asked.at(-1)?.body).toEqual({ ...said, value: 'no', importance: 9 });
    expect(await purser('memory add coder-1 style/tabs {"tabs":false} --as-json')).toBe(0);
    expect(asked.at(-1)?.body).toEqual({ ...said, value: { tabs: false } });
    expect(await purser('memory list coder-1')).toBe(0);
    expect(asked.at(-1)?.path).toContain('agent_id=a1');
    expect(printed.out).toContain('style/tabs  {"tabs":false}');
    expect(await purser('memory remove m1')).toBe(0);
    expect(printed.out).toContain('Removed style/tabs.');
    expect(await purser('memory add coder-1 tabs no')).toBe(1);
    expect(printed.err).toContain('Write category/key.');
  });

  test('occasion lists budgets of persons, and books a spend that is no call', async () => {
    const row = { id: 'x1', person: 'Ada', occasion: 'Fair', budget_currency: 'EUR' };
    const more = { budget_amount: '100', budget_spent: '120', budget_remaining: '-20' };
    const other = { ...row, id: 'x2', person: 'Bob' };
    answers['GET /admin/v1/person-occasions'] = {
      data: [{ ...row, ...more, is_over: true }, other],
    };
    answers['POST /admin/v1/person-occasions/x1/spend'] = row;
    expect(await purser('occasion list --person Ada --over')).toBe(0);
    expect(asked.at(-1)?.path).toContain('over=true');
    expect(printed.out).toContain('Ada     Fair         100    120   -20  EUR       yes');
    expect(printed.out).not.toContain('Bob');
    expect(await purser('occasion spend Ada Fair 1.5 --reason stamps')).toBe(0);
    expect(asked.at(-1)?.body).toEqual({ amount: '1.5', reason: 'stamps' });
    const { once } = asked.at(-1)!;
    expect(once).toMatch(/^[0-9A-Za-z]{22}$/);

    answers['POST /admin/v1/person-occasions/x1/spend'] = [500, { error: { message: 'Failed.' } }];
    asked = [];
    expect(await purser('occasion spend Ada Fair 2 --reason stamps')).toBe(1);
    const spends = asked.filter(({ method }) => method === 'POST');
    expect(spends.length, 'tried again by itself').toBe(2);
    expect(spends[0]!.once).not.toBe(once);
    expect(spends[1]!.once).toBe(spends[0]!.once);
    expect(printed.err).toContain(`--once ${spends[0]!.once}`);
    answers['POST /admin/v1/person-occasions/x1/spend'] = row;
    expect(await purser('occasion spend Ada Fair 2 --reason stamps --once k-1')).toBe(0);
    expect(asked.at(-1)?.once).toBe('k-1');
    expect(await purser('occasion spend Eve Fair 1 --reason stamps')).toBe(1);
    expect(printed.err).toContain('there is no budget of Eve on Fair');
  });

  test('a refusal of the gateway is told with its remedy, as JSON where JSON was asked for', async () => {
    answers['POST /admin/v1/reservations/r1/release'] = [
      409,
      { error: { message: 'The limit is named in the file.', code: 'managed_by_file' } },
    ];
    expect(await purser('reservation release r1 --reason stuck')).toBe(1);
    expect(printed.err).toBe(
      'purser: The limit is named in the file\n' +
        'A limit of another scope, unit or period may be set beside it.\n',
    );
    printed.err = '';
    await purser('reservation release r1 --reason stuck --json');
    expect(JSON.parse(printed.err).error.remedy).toMatch(/^A limit of another/);
  });

  test('the admin key is read from its file where no variable gives it', async () => {
    answers['GET /admin/v1/reservations'] = { data: [] };
    const settings = deps().settings({});
    const run = () =>
      runCli(['reservation', 'list'], deps({ settings: () => ({ ...settings, adminKey: null }) }));
    expect(await run()).toBe(1);
    expect(printed.err).toContain('there is no admin key');
    writeFileSync(settings.adminKeyFile, 'from-the-file\n');
    expect(await run()).toBe(0);
    expect(printed.out).toBe('Nothing is held.\n');
    expect(asked.at(-1)?.authorization).toBe('Bearer from-the-file');
  });
});

describe('where no gateway runs', () => {
  test('the database is opened for the command, and closed after it', async () => {
    let closed = 0;
    answers['GET /admin/v1/reservations'] = { data: [] };
    const settings = { ...deps().settings({}), origin: 'http://127.0.0.1:1' };
    const code = await runCli(
      ['reservation', 'list'],
      deps({
        settings: () => settings,
        openLocal: async () => ({
          origin,
          adminKey: 'local',
          close: async () => {
            closed += 1;
          },
        }),
      }),
    );
    expect([code, closed, asked[0]?.authorization]).toEqual([0, 1, 'Bearer local']);
  });

  test('a gateway that was named and does not answer is an error, not another database', async () => {
    expect(await purser('reservation list --url http://127.0.0.1:1')).toBe(1);
    expect(printed.err).toContain('nothing answers at http://127.0.0.1:1');
  });
});

describe('prices', () => {
  const catalog = buildCatalog({
    rows: [
      {
        provider: 'acme',
        model: 'one',
        input: 2_500_000,
        cached_read: 1_250_000,
        output: 10_000_000,
        context_tokens: 128_000,
        source: 'test',
      },
      { provider: 'acme', model: 'free', input: 0, output: 75_000, source: 'test' },
    ],
    fallbacks: {},
  });
  const openCatalog = () => catalog;

  test('are listed in USD per million tokens', async () => {
    expect(await purser('price list acme/', { openCatalog })).toBe(0);
    expect(printed.out).toMatchInlineSnapshot(`
      "MODEL      INPUT  CACHED  OUTPUT  CONTEXT  OUTPUT MAX  SOURCE
      acme/one    2.50    1.25   10.00  128 000           -  test
      acme/free   0.00       -   0.075        -           -  test
      "
    `);
  });

  test('of one model are shown in the same unit, with its limits', async () => {
    expect(await purser('price show acme/one', { openCatalog })).toBe(0);
    expect(printed.out).toMatch(/cachedRead, USD a million +1\.25\n/);
    expect(printed.out).toMatch(/context, tokens +128 000\n/);
    expect(printed.out).not.toContain('reasoning');
  });

  test('are explained line by line', async () => {
    const line = 'price explain acme/one --input 1000 --cached-read 200 --output 50';
    expect(await purser(line, { openCatalog })).toBe(0);
    expect(printed.out).toContain('Charged 0.003250 USD');
    expect(printed.out).toMatch(/cachedRead +200 +1\.25 +million tokens +0\.00025/);
  });

  test('of another catalog are shown before they are in force', async () => {
    const after = buildCatalog({
      rows: [
        { provider: 'acme', model: 'one', input: 1, output: 2, source: 'test' },
        { provider: 'acme', model: 'new', input: 1, output: 2, source: 'test' },
      ],
      fallbacks: {},
    });
    const asked: unknown[] = [];
    const changeCatalog: CliDeps['changeCatalog'] = (_flags, path, write) => {
      asked.push([path, write]);
      return { before: catalog, after, file: 'data/prices.json' };
    };
    expect(await purser('price update new.json --dry-run', { changeCatalog })).toBe(0);
    expect(printed.out).toMatchInlineSnapshot(`
      "WHAT     MODEL      FROM
      gone     acme/free  ever
      new      acme/new   ever
      changed  acme/one   ever
      2 prices, 3 differ. Nothing was written.
      "
    `);
    expect(await purser('price update --shipped', { changeCatalog })).toBe(0);
    expect(asked).toEqual([
      ['new.json', false],
      [null, true],
    ]);
    expect(await purser('price update', { changeCatalog })).toBe(1);
    expect(printed.err).toContain('--shipped');
  });

  test('a model without one is told with where to look', async () => {
    expect(await purser('price show acme/two', { openCatalog })).toBe(1);
    expect(printed.err).toContain('purser price list');
  });
});

describe('doctor', () => {
  test('says what it saw, and fails where something is wrong', async () => {
    answers['GET /readyz'] = [503, { checks: { ledger: 'ok', database: 'no answer' } }];
    const providers = [
      { name: 'openai', baseUrl: 'https://x', configured: false, keyVariable: 'OPENAI_API_KEY' },
      { name: 'local', baseUrl: origin, configured: true, keyVariable: 'LOCAL_API_KEY' },
    ];
    const settings = deps().settings({});
    const later = new Date(NOW_MS + 60_000);
    writeFileSync(join(folder, 'spool'), '');
    utimesSync(join(folder, 'spool'), later, later);
    const code = await runCli(
      ['doctor', '--connect'],
      deps({ settings: () => ({ ...settings, providers }) }),
    );
    expect(code).toBe(1);
    expect(printed.out).toContain('ok ledger         ok');
    expect(printed.out).toContain('!! database       no answer');
    expect(printed.out).toContain('-- openai         no key: set OPENAI_API_KEY');
    expect(printed.out).toMatch(/ok local {10}127\.0\.0\.1:\d+ accepts connections/);
    expect(printed.out).toMatch(/!! clock .* was written at 2026-11-21T12:01:00/);
    expect(printed.err).toContain('something is wrong: database, clock');
  });

  test('a configuration with faults is a finding, not a crash', async () => {
    const broken = () => {
      throw new OperatorError('gateway.yaml has a problem', 'Mend it.');
    };
    expect(await purser('doctor --json', { settings: broken })).toBe(1);
    const { ok, findings } = JSON.parse(printed.out);
    expect(ok).toBe(false);
    expect(findings[0]).toMatchObject({ check: 'configuration', state: 'fault' });
  });
});

describe('migrate', () => {
  test('passes the version on, tells each step, and closes', async () => {
    const done: unknown[] = [];
    const openMigrator: CliDeps['openMigrator'] = async (_flags, onStep) => ({
      async up(to) {
        done.push(['up', to]);
        const step = {
          version: 1,
          name: '0001_core',
          direction: 'up',
          position: 1,
          count: 1,
        } as const;
        onStep({ ...step, phase: 'begin' });
        onStep({ ...step, phase: 'end' });
        return [1];
      },
      down: async () => [],
      states: async () => [],
      verify: async () => ['the table agents is missing'],
      close: async () => {
        done.push('closed');
      },
    });
    expect(await purser('migrate up --to 1', { openMigrator })).toBe(0);
    expect([printed.err, printed.out]).toEqual(['up 1/1 0001_core\n', 'Applied 1.\n']);
    expect(done).toEqual([['up', 1], 'closed']);
    expect(await purser('migrate verify', { openMigrator })).toBe(1);
    expect(printed.out).toContain('the table agents is missing');
    expect(await purser('migrate up --to one', { openMigrator })).toBe(1);
  });
});
