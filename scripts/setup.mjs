// Brings a clone to where it can run: packages installed, sources compiled, and each only when it
// is stale. One start at a time does it; another that comes meanwhile waits for the first.

import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  lstatSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { beginStep } from './progress.mjs';
import * as staleness from './staleness.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LOCK = join(ROOT, '.purser-setup.lock');

/** A failure that is told in one line, with what to do about it. */
export class SetupError extends Error {
  constructor(message, remedy, output = '') {
    super(message);
    this.remedy = remedy;
    this.output = output;
  }
}

/** Runs `main` and turns what fails into one line on stderr and exit code 1. */
export async function tellFailures(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    if (error.output) process.stderr.write(`${error.output.trimEnd()}\n`);
    process.stderr.write(`purser: ${error.message}. ${error.remedy}\n`);
    process.exitCode = 1;
  }
}

/** Installs and compiles what is stale (`rebuild`: compiles anyway); else it only compares. */
export async function setUp({ rebuild = false } = {}) {
  requireNode();
  if (isFresh() && !rebuild) return;
  await underLock(async () => {
    await install();
    await build(rebuild);
  });
}

export function requireNode() {
  const needed = staleness.nodeNeeded(ROOT);
  if (staleness.isNodeTooOld(process.versions.node, needed)) {
    throw new SetupError(
      `Node ${process.versions.node} is too old`,
      `Install Node ${needed} or newer and try again.`,
    );
  }
}

function isFresh() {
  const built = staleness.buildState(ROOT);
  if (built === 'no sources') return true;
  return built === 'fresh' && staleness.installState(ROOT) === 'fresh';
}

async function install() {
  const state = staleness.installState(ROOT);
  if (state === 'fresh') return;
  if (state !== 'unstamped') {
    refuseLinkedPackages(state);
    const end = beginStep(`installing packages, ${state}`);
    // Development packages too, whatever NODE_ENV says: the compiler is one of them.
    const args = ['ci', '--include=dev', '--ignore-scripts', '--no-fund', '--no-audit'];
    const { code, output } = await runNpm(args);
    end(code === 0 ? 'done' : 'failed');
    if (code !== 0) throw installFailure(output);
  }
  writeFileSync(join(ROOT, staleness.INSTALL_STAMP), staleness.installKey(ROOT));
}

// `npm ci` empties the folder first; behind a link that would be somebody else's packages.
function refuseLinkedPackages(state) {
  const path = join(ROOT, 'node_modules');
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  throw new SetupError(
    `node_modules is a link, and not fresh (${state})`,
    'Run `npm ci` where it points to, or remove the link.',
  );
}

function runNpm(args) {
  const own = process.env.npm_execpath;
  if (own?.endsWith('.js') && existsSync(own)) return capture(process.execPath, [own, ...args]);
  return capture(process.platform === 'win32' ? 'npm.cmd' : 'npm', args);
}

/** Which of the usual reasons npm's output names, and what to do. */
export function installFailure(output) {
  const tail = output.split('\n').slice(-15).join('\n');
  const because = (reason, remedy) => new SetupError(`npm ci failed: ${reason}`, remedy, tail);
  if (/spawn npm\S* ENOENT/.test(output)) {
    return new SetupError('npm was not found', 'Install Node with npm and try again.');
  }
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|ENETUNREACH/.test(output)) {
    return because(
      'the package registry could not be reached',
      'Check the network, or the proxy and the registry that `npm config list` shows.',
    );
  }
  if (/ENOSPC/.test(output)) return because('the disk is full', 'Make room and try again.');
  if (/EACCES|EPERM|EROFS/.test(output)) {
    return because('a file may not be written', `Make ${ROOT} writable for this user.`);
  }
  if (/EUSAGE|in sync/.test(output)) {
    return because('package.json and package-lock.json differ', 'Run `npm install` once.');
  }
  return because('see above', 'Run `npm ci` by hand to see more.');
}

/** Compiles `src` to `dist`, takes away what is left of sources that are gone. */
async function build(rebuild) {
  const state = staleness.buildState(ROOT);
  if (state === 'no sources' || (state === 'fresh' && !rebuild)) return;
  const end = beginStep(`building, ${rebuild ? 'all anew' : state}`);
  const key = staleness.buildKey(ROOT);
  // The compiler's own memory would leave out files that it wrote before and that are gone now.
  if (rebuild || staleness.compareOutput(ROOT).missing.length > 0) {
    rmSync(join(ROOT, 'dist', '.tsbuildinfo'), { force: true });
  }
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, output } = await capture(process.execPath, [tsc, '-p', ROOT, '--pretty', 'false']);
  end(code === 0 ? 'done' : 'failed');
  if (code !== 0) {
    throw new SetupError('the build failed', 'Mend the errors above and try again.', output);
  }
  for (const path of staleness.compareOutput(ROOT).orphans) rmSync(join(ROOT, 'dist', path));
  if (rebuild) await writeConfigSchema();
  writeFileSync(join(ROOT, staleness.BUILD_STAMP), key);
}

// The JSON schema that config/gateway.yaml names is generated, but only by `npm run build`: were it
// written before every test, the test that finds it stale could never fail.
async function writeConfigSchema() {
  const source = join(ROOT, 'dist', 'config-json-schema.js');
  if (!existsSync(source)) return;
  const { configJsonSchemaText } = await import(pathToFileURL(source).href);
  const path = join(ROOT, 'config', 'gateway.schema.json');
  const text = configJsonSchemaText();
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

/** Runs a program to its end; SIGINT and SIGTERM that arrive meanwhile end it and then us. */
function capture(program, args) {
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = (signal) => {
      child.kill(signal);
      rmSync(LOCK, { force: true });
      process.exit(signal === 'SIGINT' ? 130 : 143);
    };
    process.once('SIGINT', stop).once('SIGTERM', stop);
    const finish = (code) => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      resolve({ code, output });
    };
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.once('error', (error) => {
      output += error.message;
      finish(-1);
    });
    child.once('close', finish);
  });
}

async function underLock(work) {
  let told = false;
  while (!takeLock()) {
    if (!told) process.stderr.write('purser: another start is setting up this clone; waiting\n');
    told = true;
    await sleep(200);
  }
  try {
    await work();
  } finally {
    rmSync(LOCK, { force: true });
  }
}

function takeLock() {
  try {
    const file = openSync(LOCK, 'wx');
    writeFileSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') {
      throw new SetupError(
        `${LOCK} cannot be written (${error.code})`,
        'Make the folder writable for this user, or build an image of it first.',
      );
    }
    if (!lockHolderLives()) rmSync(LOCK, { force: true });
    return false;
  }
}

function lockHolderLives() {
  try {
    const pid = Number(readFileSync(LOCK, 'utf8'));
    // Empty for the instant between the holder's open and its write, and no longer.
    if (pid === 0) return Date.now() - statSync(LOCK).mtimeMs < 2000;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
