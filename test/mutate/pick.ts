// Which mutants are tried: all of every file of the Lua but the equivalent ones, or a fixed few.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomFrom } from '../contract/redis/histories.js';
import { EQUIVALENT } from './equivalent.js';
import { type Mutant, mutantsOf } from './mutants.js';

export const LUA = join(import.meta.dirname, '..', '..', 'lua');

/** The files whose names hold one of these words, all without any, in the order of their names. */
export function filesOf(words: readonly string[] = []): string[] {
  return readdirSync(LUA, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.lua'))
    .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
    .sort();
}

/** All mutants of these files that somebody could see. */
export function mutantsIn(files: readonly string[]): Mutant[] {
  return files
    .flatMap((file) => mutantsOf(file, readFileSync(join(LUA, file), 'utf8')))
    .filter((mutant) => !isEquivalent(mutant));
}

/** As many of them, the same for a seed as long as the Lua is the same. */
export function sampleOf(mutants: readonly Mutant[], count: number, seed: number): Mutant[] {
  const random = randomFrom(seed);
  const left = [...mutants];
  const take = Math.min(count, left.length);
  return Array.from({ length: take }, () => left.splice(random(left.length), 1)[0]!);
}

export const nameOf = ({ file, line, change }: Mutant): string => `${file}:${line} ${change}`;

function isEquivalent(mutant: Mutant): boolean {
  const source = readFileSync(join(LUA, mutant.file), 'utf8').split('\n')[mutant.line - 1] ?? '';
  return EQUIVALENT.some(
    ({ file, code, change }) =>
      mutant.file === file && source.includes(code) && mutant.change === change,
  );
}
