// What is kept in PROOF.md: a row for each file of the Lua, written by the run that has tried every
// mutant of it. A run of some files leaves the rows of the others as they are.

import { readFileSync } from 'node:fs';
import { writeSection } from '../trials/proof.js';

export interface FileResult {
  file: string;
  commit: string;
  killed: number;
  survived: number;
}

const PROOF = new URL('../../PROOF.md', import.meta.url);
const ROW = /^\| `([\w/.]+)` \| ([\w ]+) \| (\d+) \| (\d+) \|$/gm;

/** The section with these results, `before` being the text it stood in; rows of no file go. */
export function sectionOf(
  before: string,
  results: readonly FileResult[],
  files: readonly string[],
): string {
  const rows = new Map<string, FileResult>();
  for (const [, file, commit, killed, survived] of before.matchAll(ROW)) {
    const row = {
      file: file!,
      commit: commit!,
      killed: Number(killed),
      survived: Number(survived),
    };
    if (files.includes(row.file)) rows.set(row.file, row);
  }
  for (const result of results) rows.set(result.file, result);
  const kept = [...rows.values()].sort((a, b) => (a.file < b.file ? -1 : 1));
  const sum = (of: 'killed' | 'survived') => kept.reduce((total, row) => total + row[of], 0);
  const isWhole = kept.length === files.length && sum('survived') === 0;
  return [
    `## Mutants of the Lua: ${isWhole ? 'none survives' : 'not all are tried and killed'}`,
    '',
    '`npm run mutate -- --write`: each row by the run that tried every mutant of that file.',
    '',
    '| file | at commit | killed | survived |',
    '|---|---|---:|---:|',
    ...kept.map((row) => `| \`${row.file}\` | ${row.commit} | ${row.killed} | ${row.survived} |`),
    `| all ${kept.length} of ${files.length} files | | ${sum('killed')} | ${sum('survived')} |`,
  ].join('\n');
}

export async function writeResults(
  results: readonly FileResult[],
  files: readonly string[],
): Promise<void> {
  const before = readFileSync(PROOF, 'utf8');
  await writeSection(PROOF, 'mutants', sectionOf(before, results, files));
}
