// Where and of what a figure was taken: commit, processor, memory, kernel, Node, and how long the
// disk itself takes to make four kilobytes durable.

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { canPin, median } from './processes.js';

export interface Machine {
  commit: string;
  date: string;
  node: string;
  processor: string;
  memoryGb: number;
  kernel: string;
  compiler: string;
  pinned: boolean;
  fdatasyncMs: number;
}

const MEASURED = ['src', 'lua', 'sql', 'bench', ':!bench/results.json'];
const SYNCS = 100;
let known: Machine | undefined;

export function machine(): Machine {
  known ??= {
    commit: commit(),
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    node: process.version,
    processor: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    compiler: said('cc', '--version'),
    pinned: canPin,
    fdatasyncMs: fdatasyncMs(),
  };
  return known;
}

function commit(): string {
  const changed = said('git', 'status', '--porcelain', '--', ...MEASURED);
  return `${said('git', 'rev-parse', '--short', 'HEAD')}${changed === '' ? '' : ', changed'}`;
}

function said(program: string, ...args: string[]): string {
  try {
    const text = execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return text.split('\n')[0] ?? '';
  } catch {
    return 'none';
  }
}

function fdatasyncMs(): number {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-disk-'));
  const file = openSync(join(folder, 'file'), 'w');
  const block = Buffer.alloc(4096, 1);
  const times: number[] = [];
  for (let count = 0; count < SYNCS; count += 1) {
    writeSync(file, block);
    const startMs = performance.now();
    fdatasyncSync(file);
    times.push(performance.now() - startMs);
  }
  closeSync(file);
  rmSync(folder, { recursive: true, force: true });
  return median(times);
}

/** The hard limit, which Node raises its own to. */
export const openFilesMax = (): number =>
  Number(
    /Max open files\s+\d+\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1024,
  );
