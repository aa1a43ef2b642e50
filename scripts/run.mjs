#!/usr/bin/env node
// `npm start`, `npm test` and their kin: each does all the set-up it needs and then its work.
// `start` imports the gateway into this very process, so that SIGTERM reaches it.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT, SetupError, setUp, tellFailures } from './setup.mjs';

const VITEST = join('node_modules', 'vitest', 'vitest.mjs');
const TSC = join('node_modules', 'typescript', 'bin', 'tsc');
const BIOME = join('node_modules', '@biomejs', 'biome', 'bin', 'biome');

const COMMANDS = {
  start: (args) => importMain(['start', ...args]),
  test: (args) => runNode([VITEST, 'run', ...args]),
  check,
  dev,
  bench: (args) => runTypeScript('bench/main.ts', args),
  prices: (args) => runOwn('scripts/generate-prices.mjs', args),
  trials: (args) => runTypeScript('test/trials/main.ts', args),
  prove: (args) => runTypeScript('test/model/prove.ts', args),
  mutate: (args) => runTypeScript('test/mutate/main.ts', args),
};

await tellFailures(async () => {
  const [name = 'start', ...args] = process.argv.slice(2);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    throw new SetupError(`no command ${name}`, `There are: ${Object.keys(COMMANDS).join(', ')}.`);
  }
  await setUp();
  const code = await command(args);
  if (code) process.exitCode = code;
});

async function importMain(args) {
  const main = join(ROOT, 'dist', 'main.js');
  process.argv = [process.execPath, main, ...args];
  await import(pathToFileURL(main).href);
}

/** Formatting and lint, types of the product, types of the tests, the house rules: all, always. */
async function check() {
  const steps = [
    ['biome', [BIOME, 'check', '--no-errors-on-unmatched', '.']],
    ['types', [TSC, '-p', '.', '--noEmit', '--incremental', 'false']],
    ['types of tests', [TSC, '-p', 'test']],
    ['house rules', [VITEST, 'run', 'test/tidy.test.ts']],
  ];
  const failed = [];
  for (const [name, args] of steps) {
    if ((await runNode(args)) !== 0) failed.push(name);
  }
  if (failed.length === 0) return 0;
  throw new SetupError(`check failed: ${failed.join(', ')}`, 'Mend what is shown above.');
}

/** The compiler and the gateway, both watching: an edit of a source restarts the gateway. */
async function dev(args) {
  const compiler = runNode([TSC, '-p', '.', '--watch', '--preserveWatchOutput']);
  const gateway = runNode(['--watch', join('dist', 'main.js'), 'start', ...args]);
  return Math.max(...(await Promise.all([compiler, gateway])));
}

function runTypeScript(path, args) {
  return runOwn(path, args, ['--import', 'tsx']);
}

function runOwn(path, args, options = []) {
  if (!existsSync(join(ROOT, path))) {
    throw new SetupError(
      `${path} is not part of this version`,
      'Update the clone, or look for it in CHANGELOG.md.',
    );
  }
  return runNode([...options, path, ...args]);
}

/** Runs Node on the arguments with our terminal, passes signals on; answers the exit code. */
function runNode(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', forward).on('SIGTERM', forward);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      process.off('SIGINT', forward).off('SIGTERM', forward);
      resolve(signal ? 1 : code);
    });
  });
}
