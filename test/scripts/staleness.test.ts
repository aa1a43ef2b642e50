// When the set-up acts and when it leaves things alone: decided on real folders.

import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { installFailure } from '../../scripts/setup.mjs';
import {
  BUILD_STAMP,
  buildKey,
  buildState,
  compareOutput,
  INSTALL_STAMP,
  installKey,
  installState,
  isNodeTooOld,
} from '../../scripts/staleness.mjs';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'purser-clone-'));
  write(
    'package-lock.json',
    JSON.stringify({ packages: { '': {}, 'node_modules/a': version(1) } }),
  );
  write('tsconfig.json', '{}');
  write('src/a.ts', 'a');
  write('src/deep/b.ts', 'b');
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function version(major: number): { version: string } {
  return { version: `${major}.0.0` };
}

function buildAll(): void {
  write('dist/a.js', '');
  write('dist/deep/b.js', '');
  write(BUILD_STAMP, buildKey(root));
}

test('a clone without packages must install', () => {
  expect(installState(root)).toBe('no packages yet');
});

test('packages installed for this lock file are fresh, for another or elsewhere they are stale', () => {
  write(INSTALL_STAMP, installKey(root));
  expect(installState(root)).toBe('fresh');
  write(INSTALL_STAMP, installKey(root).replace(process.platform, 'plan9'));
  expect(installState(root)).toBe('installed elsewhere');
  write(INSTALL_STAMP, installKey(root));
  write('package-lock.json', JSON.stringify({ packages: { 'node_modules/b': version(1) } }));
  expect(installState(root)).toBe('packages differ from package-lock.json');
});

test('packages that somebody installed by hand count if they are those of the lock file', () => {
  const installed = (packages: object) =>
    write('node_modules/.package-lock.json', JSON.stringify({ packages }));
  installed({ 'node_modules/a': version(1) });
  expect(installState(root)).toBe('unstamped');
  installed({ 'node_modules/a': version(2) });
  expect(installState(root)).toBe('packages differ from package-lock.json');
  installed({});
  expect(installState(root)).toBe('packages differ from package-lock.json');
});

test('a build is fresh until a source changes, appears or goes', () => {
  expect(buildState(root)).toBe('no build yet');
  buildAll();
  expect(buildState(root)).toBe('fresh');
  utimesSync(join(root, 'src', 'a.ts'), 1, 1);
  expect(buildState(root)).toBe('sources changed');
  buildAll();
  write('src/c.ts', '');
  expect(buildState(root)).toBe('sources changed');
  rmSync(join(root, 'src', 'c.ts'));
  expect(buildState(root)).toBe('fresh');
});

test('a build with a hole is stale, and what is left of removed sources is found', () => {
  buildAll();
  rmSync(join(root, 'dist', 'a.js'));
  expect(buildState(root)).toBe('dist/a.js is missing');
  write('dist/old.js', '');
  write('dist/old.js.map', '');
  expect(compareOutput(root)).toEqual({ missing: ['a.js'], orphans: ['old.js', 'old.js.map'] });
});

test('an image without sources has nothing to build', () => {
  rmSync(join(root, 'src'), { recursive: true });
  expect(buildState(root)).toBe('no sources');
});

test.each([
  ['v18.20.0', true],
  ['20.18.9', true],
  ['20.19.0', false],
  ['20.20.2', false],
  ['22.0.0', false],
])('Node %s is too old for 20.19: %s', (have, tooOld) => {
  expect(isNodeTooOld(have, '20.19')).toBe(tooOld);
});

test.each([
  ['npm error code ENOTFOUND', /registry could not be reached/, /network/],
  ['spawn npm ENOENT', /npm was not found/, /Install Node with npm/],
  ['npm error code ENOSPC', /disk is full/, /room/],
  ['npm error code EACCES', /may not be written/, /writable/],
  ['npm error code EUSAGE can only install with ... in sync', /differ/, /npm install/],
  ['npm error something new', /see above/, /by hand/],
])('a failed install (%s) is told with its remedy', (output, message, remedy) => {
  const failure = installFailure(output);
  expect(failure.message).toMatch(message);
  expect(failure.remedy).toMatch(remedy);
});
