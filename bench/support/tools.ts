// The upstream and the load of a bench: C, compiled on the spot where there is a compiler, because
// they share a core with each other and must never be the bottleneck; else the same in Node.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Program, runProgram, startProgram } from './processes.js';

export const SIDE_CORE = 0;
export const LOAD_CORE = 1;

export interface Tools {
  kind: 'C' | 'Node';
  folder: string;
  upstream: readonly string[];
  load: readonly string[];
}

/** Times in microseconds. */
export interface Load {
  requests: number;
  failures: number;
  perSecond: number;
  latencyP50Us: number;
  latencyP99Us: number;
  latencyMostUs: number;
  /** How late the load itself sent a request that was due: part of its latency. */
  lateP99Us: number;
  /** From the request to the first event. */
  firstP50Us: number;
  firstP99Us: number;
  /** From the upstream's writing of an event to its arrival. */
  delayP50Us: number;
  delayP99Us: number;
  streams: number;
  chunks: number;
  chunksPerSecond: number;
  cpuUs: number;
  seconds: number;
}

export interface LoadOptions {
  port: number;
  /** The file that `writeRequest` made. */
  request: string;
  connections: number;
  seconds: number;
  /** Requests a second, whether or not the answers keep up. */
  rate?: number;
  /** Connections opened a second. */
  openRate?: number;
  /** The most streams that wait to begin; the next is opened when one has. */
  opening?: number;
  /** Seconds at the beginning of which events are not counted. */
  warm?: number;
  status?: number;
  /** Addresses that connections come from. */
  sources?: number;
  /** Prints `streaming N` once so many streams are open. */
  tell?: number;
}

const HERE = import.meta.dirname;

export function openTools(folder: string): Tools {
  const node = (name: string) => [process.execPath, join(HERE, `${name}.mjs`)];
  try {
    return {
      kind: 'C',
      folder,
      upstream: compile('upstream', folder),
      load: compile('load', folder),
    };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { kind: 'Node', folder, upstream: node('upstream'), load: node('load') };
  }
}

function compile(name: string, folder: string): string[] {
  const program = join(folder, name);
  execFileSync('cc', ['-O2', '-o', program, join(HERE, `${name}.c`)], { stdio: 'pipe' });
  return [program];
}

export function startUpstream(tools: Tools, intervalMs = 20): Promise<Program> {
  const command = [...tools.upstream, `intervalMs=${intervalMs}`];
  return startProgram(command, { core: LOAD_CORE, until: /^\d+$/ });
}

let requests = 0;

/** 16 tildes in the body become, each time, a number that was never sent. */
export function writeRequest(
  tools: Tools,
  to: { path: string; headers: Record<string, string> },
  body: object | string,
): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const head = Object.entries(to.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const file = join(tools.folder, `request-${++requests}`);
  writeFileSync(
    file,
    `POST ${to.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n${head.join('')}` +
      `content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  return file;
}

const argumentsOf = (options: LoadOptions) =>
  Object.entries(options).map(([name, value]) => `${name}=${value}`);

export async function runLoad(tools: Tools, options: LoadOptions): Promise<Load> {
  return JSON.parse(await runProgram([...tools.load, ...argumentsOf(options)], LOAD_CORE));
}

/** Streams that stay open until it is ended; answers once all have begun. */
export async function openStreams(
  tools: Tools,
  options: LoadOptions,
  withinMs: number,
): Promise<{ program: Program; end(): Promise<Load> }> {
  const tell = options.connections;
  const program = await startProgram([...tools.load, ...argumentsOf({ ...options, tell })], {
    ...{ core: LOAD_CORE, until: new RegExp(`^streaming ${tell}$`), withinMs },
  });
  return {
    program,
    async end() {
      program.child.kill('SIGTERM');
      return JSON.parse(await program.until(/^\{.*\}$/, 10_000));
    },
  };
}
