// The house beyond its sources: Lua, migrations, error codes, package.json, and words that speak
// of where it was made.

import type { Tree } from './source.js';

export function luaFindings(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) => {
    if (!/^lua\/.*\.lua$/.test(path)) return [];
    const header = /^(?:#![^\n]*\n)?--\[\[([\s\S]*?)\]\]/.exec(text)?.[1] ?? '';
    const missing = ['KEYS', 'ARGV', 'Returns'].filter((word) => !header.includes(word));
    const code = text.replace(/--\[\[[\s\S]*?\]\]/g, '').replace(/--[^\n]*/g, '');
    const lossy = [...code.matchAll(/\b(tostring|cjson\.encode)\s*\(/g)];
    return [
      ...missing.map((word) => `${path} has no ${word} in its header`),
      ...lossy.map(([call]) => `${path} has ${call}: it keeps 14 digits; use string.format`),
    ];
  });
}

export function migrationFindings(tree: Tree): string[] {
  const names = [...tree.keys()].flatMap((path) => {
    const match = /^sql\/migrations\/(.+)$/.exec(path);
    return match ? [match[1]!] : [];
  });
  const shape = /^(\d{4})_([a-z0-9_]+)\.(up|down)\.sql$/;
  const findings = names
    .filter((name) => !shape.test(name))
    .map((name) => `sql/migrations/${name} is not named 0001_title.up.sql or .down.sql`);
  const ups = names.filter((name) => name.endsWith('.up.sql')).sort();
  const downs = new Set(names.filter((name) => name.endsWith('.down.sql')));
  for (const [index, up] of ups.entries()) {
    const number = String(index + 1).padStart(4, '0');
    if (!up.startsWith(`${number}_`)) findings.push(`${up} should be number ${number}`);
    if (!downs.delete(up.replace('.up.', '.down.'))) findings.push(`${up} has no down`);
  }
  return [...findings, ...[...downs].map((down) => `${down} has no up`)];
}

export function errorCodeFindings(tree: Tree): string[] {
  const errors = tree.get('src/core/errors.ts') ?? '';
  const table = /ERROR_CODES = \{([\s\S]*?)\n\}/.exec(errors)?.[1] ?? '';
  const codes = [...table.matchAll(/^\s+(\w+): \{/gm)].map((match) => match[1]!);
  if (codes.length === 0) return ['src/core/errors.ts has no table ERROR_CODES'];
  const pages = [...tree].filter(([path]) => /^(README\.md|docs\/.*\.md)$/.test(path));
  const words = new Set(pages.flatMap(([, text]) => text.match(/\w+/g) ?? []));
  const twice = codes.filter((code, index) => codes.indexOf(code) !== index);
  return [
    ...codes.filter((code) => !words.has(code)).map((code) => `${code} is in no documentation`),
    ...twice.map((code) => `${code} is there twice`),
  ];
}

const SCRIPTS_MAX = 12;

export function packageFindings(tree: Tree): string[] {
  const manifest = JSON.parse(tree.get('package.json') ?? '{}') as Record<
    string,
    Record<string, string> | undefined
  >;
  const findings: string[] = [];
  for (const kind of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    for (const [name, version] of Object.entries(manifest[kind] ?? {})) {
      if (/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) continue;
      findings.push(`package.json: ${name} is ${version}, not one exact version`);
    }
  }
  const scripts = Object.keys(manifest.scripts ?? {}).length;
  if (scripts > SCRIPTS_MAX)
    findings.push(`package.json has ${scripts} scripts, over ${SCRIPTS_MAX}`);
  return findings;
}

// Brackets keep each pattern from finding itself.
const WORKPLACE = [
  /\/w[o]rk\//,
  /\/f[a]rm\//,
  /\bsh[a]red\/(design|seeds)\b/,
  /\.l[i]brary\b/,
  /\bs[u]bagent/i,
  /\bthis s[e]ssion\b/i,
  /\bdeveloper s[e]ssion\b/i,
  /\bregistry\.npm[j]s\b/,
];

export function workplaceFindings(tree: Tree): string[] {
  return [...tree].flatMap(([path, text]) =>
    WORKPLACE.flatMap((pattern) => {
      const found = pattern.exec(text);
      if (!found) return [];
      return [`${path}:${text.slice(0, found.index).split('\n').length} speaks of ${found[0]}`];
    }),
  );
}
