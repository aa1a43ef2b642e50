// Another catalog beside the data: read whole or refused whole, shown before it is in force.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { changeCatalog, readCatalog } from '#src/compose-prices.js';
import { type Config, loadConfig } from '#src/config.js';

const NOW_MS = Date.UTC(2026, 10, 21);
let folder: string;
let config: Config;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'purser-prices-'));
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, `data_dir: ${join(folder, 'data')}\n`);
  config = loadConfig({ env: {}, flags: { config: file }, cwd: folder });
});
afterEach(() => rmSync(folder, { recursive: true }));

function fileOf(content: unknown): string {
  const path = join(folder, 'new.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const row = { provider: 'acme', model: 'one', input: 1_000_000, output: 2_000_000, source: 'us' };
const inputOf = (model: string) => readCatalog(config).find('acme', model, NOW_MS)?.input;

test('a file of prices is the catalog until the shipped one is asked for', () => {
  expect(inputOf('one')).toBeUndefined();
  const { before, after } = changeCatalog(config, fileOf({ rows: [row] }), true);
  expect(before.find('acme', 'one', NOW_MS)).toBeUndefined();
  expect(after.find('acme', 'one', NOW_MS)?.input).toBe(1_000_000);
  expect(inputOf('one')).toBe(1_000_000);
  expect(readCatalog(config).find('openai', 'gpt-4o', NOW_MS)).toBeUndefined();
  changeCatalog(config, null, true);
  expect(inputOf('one')).toBeUndefined();
  expect(readCatalog(config).find('openai', 'gpt-4o', NOW_MS)).toBeDefined();
});

test('a dry run changes nothing', () => {
  changeCatalog(config, fileOf({ rows: [row] }), false);
  expect(existsSync(join(folder, 'data'))).toBe(false);
});

test.each([
  ['no JSON', '{"rows": ['],
  ['no rows', { rows: [] }],
  ['a row without a source', { rows: [{ ...row, source: undefined }] }],
  ['a price that is no whole number', { rows: [row, { ...row, model: 'two', input: 0.5 }] }],
  ['a price that is a text', { rows: [{ ...row, input: '1' }] }],
  ['a row without a price of output', { rows: [{ ...row, output: undefined }] }],
])('a file with %s is refused, and the catalog stays', (_, content) => {
  expect(() => changeCatalog(config, fileOf(content), true)).toThrow();
  expect(existsSync(join(folder, 'data', 'prices.json'))).toBe(false);
});

test('a catalog that can no longer be read names the way back, and the way back works', () => {
  changeCatalog(config, fileOf({ rows: [row] }), true);
  writeFileSync(join(folder, 'data', 'prices.json'), '{');
  expect(() => readCatalog(config)).toThrow(
    expect.objectContaining({ remedy: expect.stringContaining('--shipped') }),
  );
  changeCatalog(config, null, true);
  expect(readCatalog(config).find('openai', 'gpt-4o', NOW_MS)).toBeDefined();
});

test('an amount that is none is told with its file and its row', () => {
  const path = fileOf({ rows: [{ ...row, input: 0.5 }] });
  expect(() => changeCatalog(config, path, true)).toThrow(/new\.json: .*acme\/one/);
});

test('a file that is not there is told by its name', () => {
  expect(() => changeCatalog(config, join(folder, 'none.json'), true)).toThrow(/none\.json cannot/);
});
