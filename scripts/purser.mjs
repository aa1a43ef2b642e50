#!/usr/bin/env -S node --min-semi-space-size=64 --max-semi-space-size=64 --initial-old-space-size=192
// The command `purser`: sets up what is stale, then hands its arguments to the gateway's main.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT, setUp, tellFailures } from './setup.mjs';

await tellFailures(async () => {
  await setUp();
  const main = join(ROOT, 'dist', 'main.js');
  process.argv[1] = main;
  await import(pathToFileURL(main).href);
});
