// The bench runs: it measures each side and fails if a call fails. What it finds is not judged
// here: the machine of a test is busy with other tests.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const run = promisify(execFile);

test('a quick bench measures small calls and streams on each side, and nothing fails', async () => {
  const bench = ['--import', 'tsx', 'bench/main.ts', '--quick', '--only', 'small-call,streaming'];
  const { stdout } = await run(process.execPath, bench, { cwd: ROOT });
  for (const side of ['direct', 'bare proxy', 'purser, 4 envelopes'])
    expect(stdout).toContain(side);
  expect(stdout).toMatch(/^small-call\.embedded = \d+\.\d+$/m);
  expect(stdout).toMatch(/^streaming\.chunks = \d+\.\d+$/m);
  expect(stdout).toMatch(/nginx/);
  expect(stdout).toMatch(/no failures\n$/);
}, 120_000);

test('an unknown scenario is refused with the names of those that there are', async () => {
  const bench = ['--import', 'tsx', 'bench/main.ts', '--only', 'smal-call'];
  const told = await run(process.execPath, bench, { cwd: ROOT }).catch((error) => error);
  expect(told.code).toBe(2);
  expect(told.stderr).toContain('small-call');
});
