// The fixed few of `npm run mutate` that every run of the tests tries.

import { expect, test } from 'vitest';
import { EQUIVALENT } from './equivalent.js';
import { filesOf, mutantsIn, nameOf, sampleOf } from './pick.js';
import { tryMutants } from './run.js';

const COUNT = 30;
const SEED = 4;

test(`of ${COUNT} mutants of the Lua none keeps every guarantee`, async () => {
  const mutants = sampleOf(mutantsIn(filesOf()), COUNT, SEED);
  expect(mutants).toHaveLength(COUNT);
  const survivors = await tryMutants(mutants, () => {});
  expect(survivors.map(nameOf)).toEqual([]);
}, 300_000);

test('at most five mutants are said to be equivalent', () => {
  expect(EQUIVALENT.length).toBeLessThanOrEqual(5);
});
