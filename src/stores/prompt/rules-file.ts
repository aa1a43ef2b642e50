// An agent's rules file. It is read only inside its project's `local_path`, and that only inside
// roots that the operator named; without roots none is ever read. Links that lead out are not
// followed.

import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { TextDecoder } from 'node:util';

export interface RulesFileOptions {
  /** Folders in which projects may lie. */
  roots: readonly string[];
  bytesMax?: number;
}

/** `none`: the agent has no rules file, or rules files are off. */
export type RulesFile =
  | { kind: 'text'; text: string }
  | { kind: 'none' }
  | { kind: 'unreadable'; reason: string };

const BYTES_MAX = 256 * 1024;

export async function readRulesFile(
  options: RulesFileOptions,
  localPath: string | null | undefined,
  path: string | null | undefined,
): Promise<RulesFile> {
  if (options.roots.length === 0 || !path) return { kind: 'none' };
  if (!localPath || !isAbsolute(localPath)) return unreadable('its project has no local path');
  try {
    const project = await realpath(localPath);
    const roots = await Promise.all(options.roots.map((root) => realpath(root).catch(() => root)));
    if (!roots.some((root) => isInside(root, project))) {
      return unreadable('its project is in none of the configured roots');
    }
    const file = await realpath(resolve(project, path));
    if (!isInside(project, file)) return unreadable('it is not inside its project');
    return await readInside(file, options.bytesMax ?? BYTES_MAX);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (!/^E[A-Z]+$/.test(code)) throw error;
    return unreadable(`it cannot be read (${code})`);
  }
}

// `file` has no links in it. What is opened must still be what was looked at: a folder on the way
// may have been exchanged for a link in between.
async function readInside(file: string, bytesMax: number): Promise<RulesFile> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(file, flags);
  try {
    const opened = await handle.stat();
    if (!opened.isFile()) return unreadable('it is not a file');
    const now = await stat(await realpath(file));
    if ((await realpath(file)) !== file || now.ino !== opened.ino || now.dev !== opened.dev) {
      return unreadable('it was exchanged while it was read');
    }
    const bytes = Buffer.alloc(bytesMax + 1);
    let length = 0;
    for (let more = 1; more > 0 && length < bytes.length; length += more) {
      more = (await handle.read(bytes, length, bytes.length - length, length)).bytesRead;
    }
    if (length > bytesMax) return unreadable(`it has more than ${bytesMax} bytes`);
    return decode(bytes.subarray(0, length));
  } finally {
    await handle.close();
  }
}

function decode(bytes: Buffer): RulesFile {
  try {
    return { kind: 'text', text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return unreadable('it is not UTF-8');
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}

function unreadable(reason: string): RulesFile {
  return { kind: 'unreadable', reason };
}
