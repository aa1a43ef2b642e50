// Decides whether packages must be installed and whether the build is older than the sources.
// Only reads and compares: setup.mjs acts on the answers. Runs on any Node, needs no package.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export const INSTALL_STAMP = join('node_modules', '.purser-install.json');
export const BUILD_STAMP = join('dist', '.purser-build.json');

/** Everything that `npm ci` depends on: the lock file and the machine that it ran on. */
export function installKey(root) {
  const lock = readFileSync(join(root, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  return `${hash} ${process.platform}-${process.arch}`;
}

/**
 * `fresh`, or why not. Packages count also where only npm's own list of what it installed agrees
 * with the lock file, as after an install by hand: `unstamped`, so that the stamp gets written.
 */
export function installState(root) {
  if (!existsSync(join(root, 'package-lock.json'))) return 'no lock file';
  if (!existsSync(join(root, 'node_modules'))) return 'no packages yet';
  const key = installKey(root);
  const stamp = readText(join(root, INSTALL_STAMP));
  if (stamp === key) return 'fresh';
  const platform = (text) => text.split(' ')[1];
  if (stamp !== undefined && platform(stamp) !== platform(key)) return 'installed elsewhere';
  return agreesWithLock(root) ? 'unstamped' : 'packages differ from package-lock.json';
}

function agreesWithLock(root) {
  const installed = readText(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return false;
  const have = JSON.parse(installed).packages;
  const want = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(want).every(
    ([path, entry]) =>
      path === '' ||
      (have[path] === undefined ? entry.optional === true : have[path].version === entry.version),
  );
}

/** One text that changes with any source file's name, size or time, and with the compiler. */
export function buildKey(root) {
  const hash = createHash('sha256');
  for (const name of ['package-lock.json', 'tsconfig.json']) hash.update(signature(root, name));
  for (const path of sourcePaths(root)) hash.update(signature(root, path));
  return hash.digest('hex');
}

function signature(root, path) {
  const { size, mtimeMs } = statSync(join(root, path));
  return `${path} ${size} ${mtimeMs}\n`;
}

/** `fresh`, `no sources` (an image holds only the build), or why a build is needed. */
export function buildState(root) {
  if (!existsSync(join(root, 'src'))) return 'no sources';
  const stamp = readText(join(root, BUILD_STAMP));
  if (stamp === undefined) return 'no build yet';
  if (stamp !== buildKey(root)) return 'sources changed';
  const { missing } = compareOutput(root);
  return missing.length > 0 ? `dist/${missing[0]} is missing` : 'fresh';
}

/** What the sources should have become and did not, and what is left of sources that are gone. */
export function compareOutput(root) {
  const wanted = new Set(
    sourcePaths(root).map((path) => path.replace(/^src[/\\]/, '').replace(/\.ts$/, '.js')),
  );
  const found = existsSync(join(root, 'dist')) ? filesUnder(join(root, 'dist'), '') : [];
  const scripts = found.filter((path) => /\.js(\.map)?$/.test(path));
  return {
    missing: [...wanted].filter((path) => !scripts.includes(path)),
    orphans: scripts.filter((path) => !wanted.has(path.replace(/\.map$/, ''))),
  };
}

function sourcePaths(root) {
  return filesUnder(join(root, 'src'), '')
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join('src', path));
}

function filesUnder(folder, prefix) {
  return readdirSync(folder, { withFileTypes: true })
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(prefix, entry.name);
      return entry.isDirectory() ? filesUnder(join(folder, entry.name), path) : [path];
    });
}

function readText(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** The lowest Node version that package.json allows, as `20.19`. */
export function nodeNeeded(root) {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return engines.node.replace(/^[^\d]*/, '');
}

export function isNodeTooOld(version, needed) {
  const have = version.replace(/^v/, '').split('.').map(Number);
  const want = needed.split('.').map(Number);
  for (let i = 0; i < want.length; i++) {
    if (have[i] !== want[i]) return have[i] < want[i];
  }
  return false;
}
