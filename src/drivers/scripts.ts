// The Lua of Redis: one file a script, read once at start. A line `-- include <part>` stands for
// lua/parts/<part>.lua, so that no script carries its own copy of the fence.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const SCRIPT_NAMES = [
  'reserve',
  'extend',
  'beat',
  'finalize',
  'release',
  'reap',
  'adjust',
  'set_limit',
  'restore',
  'admission',
  'clear',
  'state',
  'balances',
  'overdue',
  'sweep',
  'lease',
  'outlive',
  'roll',
] as const;
export type ScriptName = (typeof SCRIPT_NAMES)[number];

export interface Script {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
}
export type Scripts = Readonly<Record<ScriptName, Script>>;

// Two folders up in src/ as in dist/.
const LUA_FOLDER = join(import.meta.dirname, '..', '..', 'lua');

/** Reads and puts together every script; a missing file or part is an error at start. */
export function loadScripts(folder = LUA_FOLDER): Scripts {
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
  const entries = SCRIPT_NAMES.map((name) => {
    const text = putTogether(read(`${name}.lua`), (part) => read(join('parts', `${part}.lua`)));
    return [name, scriptOf(name, text)] as const;
  });
  return Object.fromEntries(entries) as Record<ScriptName, Script>;
}

/** A script of this text; its name is for messages only. */
export function scriptOf(name: string, text: string): Script {
  return { name, text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Puts each part in the place of the line that names it. Parts do not include others. */
export function putTogether(text: string, part: (name: string) => string): string {
  return text.replace(/^-- include (\w+)$/gm, (_line, name: string) => part(name).trimEnd());
}
