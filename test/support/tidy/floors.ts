// Who may know whom: floors, folders, cycles, one door for each package, nothing out of reach.

import { importsOf, resolveImport, type Source } from './source.js';

const FLOORS = ['core', 'rules', 'drivers', 'stores', 'flows', 'edges'];
const ROOF = FLOORS.length;

/** Which files may import a package. A package that is not here has no door yet. */
const DOORS: Record<string, RegExp> = {
  hono: /^src\/edges\//,
  '@hono/node-server': /^src\/edges\//,
  ioredis: /^src\/drivers\/redis\.ts$/,
  postgres: /^src\/drivers\/postgres\.ts$/,
  '@electric-sql/pglite': /^src\/drivers\/pglite[\w-]*\.ts$/,
  undici: /^src\/drivers\/(upstream|webhook)\.ts$/,
  tiktoken: /^src\/drivers\/tokenizer[\w-]*\.ts$/,
  pino: /^src\/drivers\/log\.ts$/,
  'prom-client': /^src\/drivers\/metrics\.ts$/,
  yaml: /^src\/config[\w-]*\.ts$/,
  zod: /^src\/(config[\w-]*\.ts$|edges\/http\/|rules\/dialects\/)/,
  citty: /^src\/edges\/cli\//,
  '@clack/prompts': /^src\/edges\/cli\//,
};

export function floorFindings(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    importsOf(source).flatMap(({ specifier, line }) => {
      const where = `${source.path}:${line}`;
      const target = resolveImport(source.path, specifier);
      if (target === undefined) return doorFindings(where, source.path, specifier);
      return stepFindings(where, source.path, target);
    }),
  );
}

function doorFindings(where: string, path: string, specifier: string): string[] {
  if (specifier.startsWith('node:')) return [];
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  // tiktoken/lite and the like have the door of their package.
  const door = Object.hasOwn(DOORS, name) ? DOORS[name] : undefined;
  if (!door) return [`${where} imports ${name}, which has no door: name one in the table`];
  if (door.test(path)) return [];
  return [`${where} imports ${name}, whose only door is ${door.source.replaceAll('\\', '')}`];
}

function stepFindings(where: string, path: string, target: string): string[] {
  if (!target.startsWith('src/')) return [`${where} leaves src: ${target}`];
  const [from, to] = [floorOf(path), floorOf(target)];
  if (from === undefined || to === undefined) return [`${where} is on no floor`];
  if (from === ROOF) return [];
  if (to > from) return [`${where} looks up to ${target}: hand it in as an argument`];
  if (to === from && folderOf(path) !== folderOf(target)) {
    return [`${where} looks sideways to ${target}: move what both need down, or hand it in`];
  }
  return [];
}

function floorOf(path: string): number | undefined {
  const parts = path.split('/');
  if (parts.length === 2) return ROOF;
  const floor = FLOORS.indexOf(parts[1] ?? '');
  return floor === -1 ? undefined : floor;
}

/** The first level under the floor; files right in the floor are a folder together. */
function folderOf(path: string): string {
  const parts = path.split('/');
  return parts.length === 3 ? '' : (parts[2] ?? '');
}

function graphOf(sources: readonly Source[]): Map<string, string[]> {
  const edges = (source: Source) =>
    importsOf(source).flatMap(({ specifier }) => resolveImport(source.path, specifier) ?? []);
  return new Map(sources.map((source) => [source.path, edges(source)]));
}

export function cycleFindings(sources: readonly Source[]): string[] {
  const graph = graphOf(sources);
  const done = new Set<string>();
  const findings: string[] = [];
  const walk = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt !== -1) {
      findings.push(`a cycle: ${[...trail.slice(seenAt), path].join(' -> ')}`);
      return;
    }
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) walk(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  return findings;
}

/** Files that nothing leads to from `src/main.ts`; workers are reached by their `new URL`. */
export function reachFindings(sources: readonly Source[]): string[] {
  const graph = graphOf(sources);
  if (!graph.has('src/main.ts')) return ['src/main.ts is missing'];
  const reached = new Set<string>();
  const waiting = ['src/main.ts', ...ENTRIES.filter((path) => graph.has(path))];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    waiting.push(...(graph.get(path) ?? []));
  }
  const missing = sources.flatMap((source) =>
    importsOf(source).flatMap(({ specifier, line }) => {
      const target = resolveImport(source.path, specifier);
      const exists = target === undefined || graph.has(target);
      return exists ? [] : [`${source.path}:${line} imports ${target}, which is missing`];
    }),
  );
  const idle = [...graph.keys()].filter((path) => !reached.has(path));
  return [
    ...missing,
    ...idle.map((path) => `${path} is not reached from src/main.ts: use it or remove it`),
  ];
}

// The build runs it to write config/gateway.schema.json.
const ENTRIES = ['src/config-json-schema.ts'];
