// The house rules as one pure function from a tree of files to what is wrong with it, rule by
// rule, so that the rules can themselves be tested on trees that break them.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cycleFindings, floorFindings, reachFindings } from './tidy/floors.js';
import { banFindings, headFindings, nameFindings, sizeFindings } from './tidy/lines.js';
import * as project from './tidy/project.js';
import { readSource, type Source, type Tree } from './tidy/source.js';

export const RULES = {
  'a file imports only from floors below and its own folder, a package only at its door': (tree) =>
    floorFindings(productSources(tree)),
  'nothing imports itself by a detour': (tree) => cycleFindings(productSources(tree)),
  'every source is reached from main.ts': (tree) => reachFindings(productSources(tree)),
  'files, functions and lines are short': (tree) =>
    [...productSources(tree), ...scriptSources(tree)].flatMap(sizeFindings),
  'every file begins with its job': (tree) =>
    [...productSources(tree), ...scriptSources(tree)].flatMap(headFindings),
  'calls that have a better home are not made elsewhere': (tree) =>
    productSources(tree).flatMap(banFindings),
  'names say something': (tree) => productSources(tree).flatMap(nameFindings),
  'every Lua script has a header and moves amounts without loss': project.luaFindings,
  'migrations are consecutive pairs': project.migrationFindings,
  'error codes are documented': project.errorCodeFindings,
  'package.json pins versions and has few scripts': project.packageFindings,
  'the project speaks of itself alone': project.workplaceFindings,
} as const satisfies Record<string, (tree: Tree) => string[]>;

function productSources(tree: Tree): Source[] {
  return sourcesOf(tree, /^src\/.*\.ts$/);
}

function scriptSources(tree: Tree): Source[] {
  return sourcesOf(tree, /^scripts\/.*\.mjs$/);
}

function sourcesOf(tree: Tree, pattern: RegExp): Source[] {
  return [...tree]
    .filter(([path]) => pattern.test(path))
    .map(([path, text]) => readSource(path, text));
}

const NOT_OURS = new Set(['node_modules', 'dist', 'data', 'coverage', '.git', 'package-lock.json']);
const TEXT = /(\.(ts|mjs|js|json|md|sql|lua|yaml|yml|sh|txt)|\/run|Dockerfile|ignore|\.npmrc)$/;
const BYTES_MAX = 1_000_000;

/** Every text file of the project, by its path from the root. */
export function readTree(root: string): Tree {
  const tree = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (NOT_OURS.has(entry.name) || entry.isSymbolicLink()) continue;
      if (entry.isDirectory()) walk(path);
      else if (TEXT.test(`/${path}`) && statSync(join(root, path)).size <= BYTES_MAX) {
        tree.set(path, readFileSync(join(root, path), 'utf8'));
      }
    }
  };
  walk('');
  return tree;
}
