// The engine that makes mutants: what it changes, and what it leaves alone.

import { expect, test } from 'vitest';
import { mutantsOf, tokensOf } from '../../mutate/mutants.js';

const changes = (text: string): string[] => mutantsOf('x.lua', text).map(({ change }) => change);
const texts = (text: string): string[] => mutantsOf('x.lua', text).map((mutant) => mutant.text);

test.each([
  ['if a < b then end', ['if a <= b then end', 'if a >= b then end']],
  ['if a == b then end', ['if a ~= b then end']],
  ['x = a + b', ['x = a - b']],
  ['x = -a', ['x = a']],
  ['x = a - b', ['x = a + b']],
  ['if not a then end', ['if  a then end']],
  ['x = a and b or c', ['x = a or b or c', 'x = a and b and c']],
  ['x = 7', ['x = 8', 'x = 6']],
  ['x = 0', ['x = 1']],
  ['x = math.max(a, b)', ['x = math.min(a, b)']],
  ["f('committed')", ["f('reserved')"]],
  ["f('anything')", []],
  ["f('7200000')", ["f('7200001')", "f('7199999')"]],
])('%s', (text, wanted) => {
  expect(texts(text)).toEqual(wanted);
});

test('a write is left out whole, over all its lines', () => {
  const text = "redis.call('HSET', k,\n  f(a), b)\nreturn a";
  const [last] = mutantsOf('x.lua', text).slice(-1);
  expect(last?.text).toBe('\nreturn a');
  expect(last?.change).toBe("left out: redis.call('HSET', k,");
});

test('comments, the header and the first line are left alone', () => {
  const text = '#!lua flags=allow-oom\n--[[ a < 1 and b\n 2 ]]\n-- not 3\n';
  expect(changes(text)).toEqual([]);
  expect(tokensOf(text).filter(({ kind }) => kind === 'comment')).toHaveLength(3);
});

test('a mutant knows its line', () => {
  expect(mutantsOf('x.lua', 'x = a\ny = b + c').map(({ line }) => line)).toEqual([2]);
});

test('what is no Lua it knows is refused rather than skipped', () => {
  expect(() => tokensOf('x = "quoted"')).toThrow('No token');
});
