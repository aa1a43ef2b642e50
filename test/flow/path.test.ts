// The path table of src/README.md is true: every step names a file and a function that it exports,
// in the build that is shipped.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(root, 'src', 'README.md'), 'utf8');
const section = readme.split(/^## /m).find((text) => text.startsWith('The path of one request'));
const steps = (section ?? '')
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
  .map(([, step, file, name]) => ({ step: step!, file: file!, name: name! }));

test('the table has every step of the path, in order', () => {
  const words = ['read', 'authenticate', 'resolve', 'estimate', 'reserve', 'forward', 'relay'];
  const order = [...words, 'meter', 'finalize', 'record'];
  const named = steps.map(({ step }) => step).filter((step) => order.includes(step));
  expect(named).toEqual(order);
});

test.each(steps)('$step is $name in $file', async ({ file, name }) => {
  const built = join(root, 'dist', file.replace(/\.ts$/, '.js'));
  const exported = (await import(pathToFileURL(built).href)) as Record<string, unknown>;
  expect(exported[name]).toBeTypeOf('function');
  expect(readFileSync(join(root, 'src', file), 'utf8')).toMatch(
    new RegExp(`export (async )?function ${name}\\b`),
  );
});
