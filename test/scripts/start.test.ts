// Whoever starts the gateway starts Node alike, or its figures would hold for some only.

import { readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';

const flagsIn = (text: string) => text.match(/--[a-z-]+-space-size=\d+/g);
const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('`npm start`, the image and the command `purser` give Node the same flags', () => {
  const flags = flagsIn(JSON.parse(read('package.json')).scripts.start);
  expect(flags).toHaveLength(3);
  expect(flagsIn(read('Dockerfile'))).toEqual(flags);
  expect(flagsIn(read('scripts/purser.mjs'))).toEqual(flags);
});

test('the command `purser` may be executed as it is, also where npx has linked it before', () => {
  expect(statSync(new URL('../../scripts/purser.mjs', import.meta.url)).mode & 0o111).toBe(0o111);
});
