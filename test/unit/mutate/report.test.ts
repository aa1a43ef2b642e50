// The rows that `npm run mutate -- --write` keeps.

import { expect, test } from 'vitest';
import { sectionOf } from '../../mutate/report.js';

const row = (file: string, killed: number, survived = 0, commit = 'abc1234') => ({
  ...{ file, commit, killed, survived },
});

test('a run replaces the rows of its files, and keeps the others that still exist', () => {
  const files = ['a.lua', 'parts/b.lua'];
  const first = sectionOf(
    '',
    [row('a.lua', 5, 1), row('gone.lua', 9), row('parts/b.lua', 3)],
    files,
  );
  const second = sectionOf(`# Proof\n\n${first}\n`, [row('a.lua', 6, 0, 'def5678')], files);
  expect(second.split('\n').slice(-3)).toEqual([
    '| `a.lua` | def5678 | 6 | 0 |',
    '| `parts/b.lua` | abc1234 | 3 | 0 |',
    '| all 2 of 2 files | | 9 | 0 |',
  ]);
  expect(second).toContain('none survives');
});

test('while a file is missing or a mutant lives, the section does not say that none survives', () => {
  expect(sectionOf('', [row('a.lua', 5)], ['a.lua', 'b.lua'])).toContain('not all');
  expect(sectionOf('', [row('a.lua', 5, 1)], ['a.lua'])).toContain('not all');
});
