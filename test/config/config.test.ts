// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is the file's own syntax
// The configuration as an operator meets it: precedence, secrets, and every fault told at once.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Config, ConfigError, type ConfigInput, loadConfig } from '#src/config.js';
import { configJsonSchemaText } from '#src/config-json-schema.js';

const ROOT = dirname(dirname(import.meta.dirname));
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(yaml: string, more: Partial<ConfigInput> = {}): Config {
  mkdirSync(join(folder, 'config'), { recursive: true });
  writeFileSync(join(folder, 'config', 'gateway.yaml'), yaml);
  return loadConfig({ env: {}, cwd: folder, ...more });
}

/** `path: message` of every problem. */
function faults(yaml: string, more: Partial<ConfigInput> = {}): string[] {
  try {
    load(yaml, more);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems.map((problem) => `${problem.path}: ${problem.message}`);
    }
    throw error;
  }
  return [];
}

test('the shipped file is sound, and its limits are exact integers', () => {
  const config = loadConfig({ env: {}, cwd: ROOT });
  expect(config.file).toBe(join(ROOT, 'config', 'gateway.yaml'));
  expect(config.sandbox).toBe(true);
  expect(config.providers.filter((provider) => provider.configured)).toEqual([]);
  expect(config.agents).toEqual([
    { name: 'coder-1', type: 'coder', project: 'demo', tier: 4, modelConfig: {} },
  ]);
  expect(
    config.limits.map(({ name, unit, amount, mode }) => ({ name, unit, amount, mode })),
  ).toEqual([
    { name: 'global/usd/monthly', unit: 'nano_usd', amount: 100e9, mode: 'block' },
    { name: 'agent:demo/coder-1/usd/daily', unit: 'nano_usd', amount: 5e9, mode: 'block' },
  ]);
});

test('where there is no file, the one that Purser came with is read', () => {
  const config = loadConfig({ env: {}, cwd: folder });
  expect(config.file).toBe(join(ROOT, 'config', 'gateway.yaml'));
  expect(config.dataDir).toBe(join(folder, 'data'));
});

test('the shape that the contract shows is read, references in braces and all', () => {
  const config = load(
    [
      'providers:',
      '  openai: { dialect: openai, base_url: https://api.openai.com/v1, api_key: ${OPENAI_API_KEY:-} }',
      '  local:  { dialect: openai, base_url: "http://127.0.0.1:11434/v1/", allow_private: true }',
      'models:',
      '  fast:   [openai/gpt-4o-mini, local/qwen3]',
      '  "gpt-*": [openai/*]',
      'prices:',
      '  local/qwen3: { input: 0, output: 0 }',
      'budgets:',
      '  - { scope: agent_type, agent_type: coder, amount_tokens: 2000000, period: daily }',
      '  - { scope: person, person: "*", amount_concurrency: 2 }',
    ].join('\n'),
    { env: { OPENAI_API_KEY: 'sk-1' } },
  );
  expect(config.providers).toMatchObject([
    { name: 'openai', apiKey: 'sk-1', apiKeyVariable: 'OPENAI_API_KEY', configured: true },
    { name: 'local', apiKey: '', baseUrl: 'http://127.0.0.1:11434/v1', configured: true },
  ]);
  expect(config.routes).toEqual([
    { model: 'fast', targets: ['openai/gpt-4o-mini', 'local/qwen3'] },
    { model: 'gpt-*', targets: ['openai/*'] },
  ]);
  expect(config.prices).toEqual({ 'local/qwen3': { input: 0, output: 0 } });
  expect(config.limits).toMatchObject([
    { name: 'agent_type:coder/tokens/daily', unit: 'tokens', amount: 2_000_000 },
    { name: 'person:*/concurrency/ever', unit: 'concurrency', amount: 2, period: 'ever' },
  ]);
});

test('a flag wins over the environment, the environment over the file, the file over the default', () => {
  const yaml = 'listen: { port: 1 }';
  const env = { PORT: '2' };
  expect(load('').listen.port).toBe(8787);
  expect(load(yaml).listen.port).toBe(1);
  expect(load(yaml, { env }).listen.port).toBe(2);
  expect(load(yaml, { env: { ...env, PURSER_PORT: '3' } }).listen.port).toBe(3);
  expect(load(yaml, { env, flags: { port: '4' } }).listen.port).toBe(4);
  expect(load(yaml, { env: { PORT: '' } }).listen.port).toBe(1);
});

test('a setting that the environment gives keeps the rest of its section', () => {
  const config = load('listen: { host: 0.0.0.0 }', { env: { PORT: '2', PURSER_SANDBOX: 'false' } });
  expect(config.listen).toEqual({ host: '0.0.0.0', port: 2 });
  expect(config.sandbox).toBe(false);
});

test('a reference is filled in, by its default where the variable is unset or empty', () => {
  const yaml = [
    'data_dir: ${HERE:-fallback}/x',
    'listen: { port: ${MY_PORT:-9} } # ${COMMENT}',
    'projects: [{ name: "$' + '${literal}" }]',
  ].join('\n');
  expect(load(yaml).dataDir).toBe(join(folder, 'fallback', 'x'));
  expect(load(yaml).listen.port).toBe(9);
  expect(load(yaml, { env: { HERE: '/abs', MY_PORT: '10' } })).toMatchObject({
    dataDir: '/abs/x',
    listen: { port: 10 },
  });
  expect(load(yaml).projects[0]?.name).toBe('${literal}');
  expect(load(yaml, { env: { HERE: 'a: {', MY_PORT: '1' } }).dataDir).toBe(
    join(folder, 'a: {', 'x'),
  );
});

test('a reference without a default to an unset variable is an error that names it', () => {
  expect(faults('data_dir: ${NOWHERE}')).toContainEqual(
    'data_dir: needs the variable NOWHERE, which is not set',
  );
});

test('a secret comes from a file, named by the configuration or by a variable', () => {
  const key = 'an-admin-key-of-enough-characters';
  mkdirSync(join(folder, 'config'));
  writeFileSync(join(folder, 'config', 'secret'), `${key}\n`);
  expect(load('admin_key_file: secret').adminKey).toBe(key);
  const env = { PURSER_ADMIN_KEY_FILE: 'config/secret', OPENAI_API_KEY_FILE: 'config/secret' };
  const config = load(
    'providers: { openai: { dialect: openai, base_url: "https://api.openai.com/v1" } }',
    { env },
  );
  expect(config.adminKey).toBe(key);
  expect(config.providers[0]).toMatchObject({ apiKey: key, configured: true });
  expect(faults('admin_key_file: nowhere')).toEqual([
    `admin_key_file: names ${join(folder, 'config', 'nowhere')}, which cannot be read (ENOENT)`,
  ]);
  expect(faults(`admin_key: ${key}\nadmin_key_file: secret`)).toEqual([
    'admin_key_file: is given beside `admin_key`',
  ]);
});

test('every fault is told at once, each with its path, its place and a remedy', () => {
  const yaml = [
    'listen: { prot: 1 }',
    'providers:',
    '  openai: { dialect: opnai, base_url: "https://api.openai.com/v1" }',
    'limits:',
    '  - { scope: agent, agent: a, amount_usd: 1, amount_tokens: 2, period: daily, person: p }',
    '  - { scope: global, amount_usd: 1e-10, period: daily }',
    '  - { scope: global, amount_usd: 1 }',
    'workers: 2',
    'modes: dry',
  ].join('\n');
  expect(faults(yaml, { flags: { port: 'x' } })).toEqual([
    'listen.port: is wrong',
    'listen.prot: is no known key',
    'providers.openai.dialect: is wrong',
    'limits[0]: needs exactly one of amount_usd, amount_tokens, amount_requests, ' +
      'amount_concurrency, has 2',
    'limits[0].person: does not belong to a limit of scope agent: leave it out',
    'limits[1].amount_usd: is no such amount',
    'limits[2].period: is missing; it is one of minutely, hourly, daily, weekly, monthly, ever',
    'modes: is no known key',
    'workers: is 2, and several processes need a shared ledger and database',
  ]);
  const text = (() => {
    try {
      return String(load(yaml, { flags: { port: 'x' } }));
    } catch (error) {
      return (error as ConfigError).message;
    }
  })();
  expect(text).toContain('listen.port (--port): is wrong. Expected: port to listen on');
  expect(text).toContain('listen.prot (line 1): is no known key. Did you mean `port`?');
  expect(text).toContain('modes (line 9): is no known key. Did you mean `mode`?');
  expect(text).toContain('Set REDIS_URL and DATABASE_URL');
});

test.each([
  ['models: { a: [opneai/x] }', 'models.a[0]: names the unknown provider opneai'],
  ['models: { a: [openai/*] }', 'models.a[0]: has a * in openai/* that nothing fills'],
  [
    'prices: { opneai/x: { input: 1, output: 1 } }',
    'prices.opneai/x: names the unknown provider opneai',
  ],
  ['prices: { openai/x: { input: 0.0000001 } }', 'prices.openai/x.input: is wrong'],
  [
    'ledger: { lease_ms: 2000, beat_ms: 1000 }',
    'ledger.beat_ms: is over a third of lease_ms, so that one late beat would end running calls',
  ],
  [
    'operator_listen: { port: 8787 }',
    'operator_listen.port: is 8787, which listen.port has already',
  ],
  ['admin_key: short', 'admin_key: is wrong'],
  [
    'limits: [{ scope: global, amount_usd: 9007200, period: ever }]',
    'limits[0].amount_usd: is no such amount',
  ],
  [
    'limits: [{ scope: global, amount_usd: -1, period: ever }]',
    'limits[0].amount_usd: is no such amount',
  ],
  [
    'limits: [{ scope: tag, amount_usd: 1, period: ever }]',
    'limits[0]: needs `tag:`, because its scope is tag',
  ],
  [
    'limits: [{ scope: global, amount_usd: 1, period: daily, time_zone: Mars/Base }]',
    'limits[0].time_zone: is wrong',
  ],
  [
    'limits: [{ scope: global, amount_requests: 9007199254740993, period: ever }]',
    'limits[0].amount_requests: is no such amount',
  ],
  [
    'limits: [{ scope: global, amount_usd: 1, period: daily }, { scope: global, amount_usd: 2, period: daily }]',
    'limits[1]: is a second global/usd/daily',
  ],
  [
    'agents: [{ name: a, type: coder, project: p }, { name: a, type: coder, project: q }]\nlimits: [{ scope: agent, agent: a, amount_usd: 1, period: daily }]',
    'limits[0].agent: means one of several agents a (projects p, q)',
  ],
  ['limits: []\nbudgets: []', 'budgets: is given beside `limits`, which means the same'],
])('%s is refused', (yaml, fault) => {
  const openai = 'openai: { dialect: openai, base_url: "https://api.openai.com/v1" }';
  expect(faults(`providers: { ${openai} }\n${yaml}`)).toEqual([fault]);
});

test.each([
  ['http://127.0.0.1:1/v1', 'is in a private network (127.0.0.1)'],
  ['https://[::1]/v1', 'is in a private network ([::1])'],
  ['https://localhost/v1', 'is in a private network (localhost)'],
  ['http://example.com/v1', 'would send the key in the clear'],
  ['https://user:pass@example.com/v1', 'has more than scheme, host, port and path'],
])('the address %s needs permission or is refused', (url, message) => {
  const yaml = `providers: { x: { dialect: openai, base_url: "${url}" } }`;
  expect(faults(yaml)).toEqual([`providers.x.base_url: ${message}`]);
});

test('broken YAML is one problem with its line', () => {
  expect(faults('listen: [\nb: {').map((fault) => fault.slice(0, 14))).toEqual([': is no YAML: ']);
});

test('an unknown variable of ours is no error but a warning with a guess', () => {
  expect(load('', { env: { PURSER_DATADIR: 'x' } }).warnings).toEqual([
    'the variable PURSER_DATADIR means nothing here; did you mean PURSER_DATA_DIR?',
  ]);
});

test('a failpoint is honoured under test only', () => {
  expect(load('', { env: { PURSER_CRASH_AT: 'sent' } }).crashAt).toBe(null);
  expect(load('', { env: { PURSER_CRASH_AT: 'sent', NODE_ENV: 'test' } }).crashAt).toBe('sent');
});

test('a file that does not exist is told with its name', () => {
  expect(() => loadConfig({ env: { PURSER_CONFIG: 'nope.yaml' }, cwd: folder })).toThrow(
    `the configuration ${join(folder, 'nope.yaml')} cannot be read (ENOENT)`,
  );
});

test('the JSON schema in config/ is the one that the code makes; `npm run build` writes it', () => {
  const path = join(ROOT, 'config', 'gateway.schema.json');
  expect(readFileSync(path, 'utf8')).toBe(configJsonSchemaText());
  const [first] = readFileSync(join(ROOT, 'config', 'gateway.yaml'), 'utf8').split('\n');
  expect(first).toContain('gateway.schema.json');
});
