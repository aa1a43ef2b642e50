// Starts the programs of a bench as processes of their own, pinned to a core where the machine
// allows it, and ends just those.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface Program {
  child: ChildProcess;
  /** The first line that matched. */
  line: string;
  /** Everything printed up to that line. */
  printed: string;
  stop(): Promise<void>;
}

const canPin = ((): boolean => {
  try {
    execFileSync('taskset', ['-c', '0', 'true']);
    return true;
  } catch {
    return false;
  }
})();

/** Starts a program and waits for a line of its output that matches. */
export async function startProgram(
  command: readonly string[],
  options: { core: number; until: RegExp; env?: Record<string, string>; cwd?: string },
): Promise<Program> {
  const pinned = canPin ? ['taskset', '-c', String(options.core), ...command] : [...command];
  const child = spawn(pinned[0] as string, pinned.slice(1), {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const tail: string[] = [];
  const line = await new Promise<string>((resolve, reject) => {
    const look = (text: string): void => {
      tail.push(text);
      if (options.until.test(text)) resolve(text);
    };
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', look);
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', look);
    child.once('exit', (code) => {
      reject(new Error(`${command.join(' ')} ended with ${code}:\n${tail.slice(-20).join('\n')}`));
    });
  });
  return {
    child,
    line,
    printed: tail.join('\n'),
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGKILL'), 10_000).unref();
      }),
  };
}

/** Runs a program to its end and answers what it printed. */
export async function runProgram(command: readonly string[], core: number): Promise<string> {
  const pinned = canPin ? ['taskset', '-c', String(core), ...command] : [...command];
  const child = spawn(pinned[0] as string, pinned.slice(1), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
  });
  return text;
}

/** CPU microseconds that a process has used, user and system, from the kernel's accounting. */
export function cpuUs(pid: number): number {
  const stat = execFileSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' });
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}
