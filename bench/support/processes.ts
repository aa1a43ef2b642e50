// Starts the programs of a bench as processes of their own, pinned to a core where the machine
// allows it, reads what the kernel accounts to them, and ends just those.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Program {
  child: ChildProcess;
  pid: number;
  /** The first line that matched. */
  line: string;
  /** Everything printed up to that line. */
  printed: string;
  /** Waits for a further line that matches, from the beginning. */
  until(wanted: RegExp, withinMs: number): Promise<string>;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** One, or a list as taskset has it. */
  core: number | string;
  until: RegExp;
  env?: Record<string, string>;
  cwd?: string;
  /** How long it may take to say so. */
  withinMs?: number;
}

const START_MS = 60_000;
const POLL_MS = 20;
const started = new Set<ChildProcess>();
const outputs = mkdtempSync(join(tmpdir(), 'purser-bench-out-'));
let programs = 0;
process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(outputs, { recursive: true, force: true });
});

export const canPin = ((): boolean => {
  try {
    execFileSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

function pinned(command: readonly string[], core: number | string): [string, string[]] {
  const whole = canPin ? ['taskset', '-c', `${core}`, ...command] : [...command];
  return [whole[0] ?? '', whole.slice(1)];
}

/** Moves a process, with all its threads, to a core. */
export function pin(pid: number, core: number): void {
  if (canPin) execFileSync('taskset', ['-acp', `${core}`, `${pid}`], { stdio: 'ignore' });
}

/** Starts a program and waits for a line that matches. What it prints goes into a file: a pipe
 * would make somebody read it while figures are taken. */
export async function startProgram(
  command: readonly string[],
  options: StartOptions,
): Promise<Program> {
  const file = join(outputs, `${++programs}`);
  const out = openSync(file, 'a');
  const child = spawn(...pinned(command, options.core), {
    stdio: ['ignore', out, out],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  closeSync(out);
  started.add(child);
  child.once('exit', () => started.delete(child));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  const until = async (wanted: RegExp, withinMs: number): Promise<string> => {
    for (const endMs = performance.now() + withinMs; ; await sleep(POLL_MS)) {
      const printed = readFileSync(file, 'utf8');
      const line = printed.split('\n').find((text) => wanted.test(text));
      if (line !== undefined) return line;
      const late = performance.now() > endMs;
      if (!late && !hasEnded()) continue;
      const how = late ? `did not say ${wanted}` : `ended with ${child.exitCode}`;
      throw new Error(`${command.join(' ')} ${how}:\n${printed.slice(-2000)}`);
    }
  };
  const line = await until(options.until, options.withinMs ?? START_MS).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  return {
    child,
    pid: child.pid as number,
    line,
    printed: readFileSync(file, 'utf8'),
    until,
    stop: () =>
      new Promise((resolve) => {
        if (hasEnded()) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
      }),
  };
}

/** Runs a program to its end and answers what it printed. */
export async function runProgram(command: readonly string[], core: number): Promise<string> {
  const child = spawn(...pinned(command, core), { stdio: ['ignore', 'pipe', 'inherit'] });
  started.add(child);
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
  });
  started.delete(child);
  return text;
}

/** CPU microseconds of a process with all its threads and children, by the kernel's accounting. */
export function cpuUs(pid: number): number {
  let sum = threadsCpuUs(pid);
  for (const child of childrenOf(pid)) sum += cpuUs(child);
  return sum;
}

/** Of its main thread alone, which is where the event loop runs. */
export function mainThreadCpuUs(pid: number): number {
  // The kernel brings the account of a running thread up to date when that thread asks.
  if (pid === process.pid) process.cpuUsage();
  return runUs(`/proc/${pid}/task/${pid}`) ?? 0;
}

/** Resident bytes of a process and its children. */
export function rssBytes(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0;
  return childrenOf(pid).reduce((sum, child) => sum + rssBytes(child), Number(kilobytes) * 1024);
}

function threadsCpuUs(pid: number): number {
  const folder = `/proc/${pid}/task`;
  if (!existsSync(folder)) return 0;
  const threads = readdirSync(folder).map((thread) => runUs(`${folder}/${thread}`));
  // A kernel without scheduler statistics tells in steps of 10 ms.
  if (threads.some((us) => us === undefined)) return ticksUs(pid);
  return threads.reduce((sum: number, us) => sum + (us ?? 0), 0);
}

function runUs(folder: string): number | undefined {
  const [ns = ''] = read(`${folder}/schedstat`).split(' ');
  return /^\d+$/.test(ns) ? Number(ns) / 1000 : undefined;
}

function ticksUs(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10_000;
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

// A process or thread may have ended since it was listed; it has nothing more to tell then.
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
