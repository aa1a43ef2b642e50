// Real servers for tests: found on the machine, or installed where that is allowed, started on a
// free port with their data in a given folder, and ended by their own process id.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { delimiter, join } from 'node:path';

export interface Server {
  url: string;
  port: number;
  pid: number;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** Ends it as a power cut would, with what it started; the signals are sent at once. */
  kill(): Promise<void>;
}

const HOST = '127.0.0.1';
const START_TRIES = 200;
const START_POLL_MS = 25;

/** Options as for redis-server: `['--appendonly', 'yes']`. A port is given to come back on it. */
export async function startRedis(
  folder: string,
  options: string[] = [],
  atPort?: number,
): Promise<Server> {
  const program = find('redis-server', [], 'redis-server');
  mkdirSync(folder, { recursive: true });
  const port = atPort ?? (await freePort());
  const own = ['--port', `${port}`, '--bind', HOST, '--dir', folder, '--save', ''];
  const child = spawn(program, [...own, ...options], { stdio: 'ignore', detached: true });
  await answering(child, port, 'redis-server');
  return server(child, port, `redis://${HOST}:${port}`, 'SIGTERM');
}

/** Options as for postgres: `['-c', 'fsync=off']`. A folder that has data is started as it is. */
export async function startPostgres(
  folder: string,
  options: string[] = [],
  fixedPort?: number,
): Promise<Server> {
  const debian = postgresFolders();
  const initdb = find('initdb', debian, 'postgresql');
  const program = find('postgres', postgresFolders(), 'postgresql');
  const owner = postgresOwner();
  mkdirSync(folder, { recursive: true });
  if (owner !== undefined) {
    chownSync(folder, owner.uid, owner.gid);
    chmodSync(folder, 0o700);
  }
  // Its working directory has to be one that its user may enter.
  const as = { ...owner, cwd: folder };
  if (!existsSync(join(folder, 'PG_VERSION'))) {
    const flags = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C'];
    execFileSync(initdb, ['-D', folder, '--no-sync', ...flags], { ...as, stdio: 'pipe' });
  }
  const port = fixedPort ?? (await freePort());
  const own = ['-D', folder, '-p', `${port}`, '-k', folder, '-c', `listen_addresses=${HOST}`];
  const child = spawn(program, [...own, '-c', 'max_connections=200', ...options], {
    ...as,
    stdio: 'ignore',
    detached: true,
  });
  await answering(child, port, 'postgres');
  // SIGINT is its fast shutdown: it does not wait for clients.
  return server(child, port, `postgres://postgres@${HOST}:${port}/postgres`, 'SIGINT');
}

function server(child: ChildProcess, port: number, url: string, gentle: NodeJS.Signals): Server {
  const pid = child.pid;
  if (pid === undefined) throw new Error('A server started without a process id.');
  const exited = once(child, 'exit');
  const killNow = () => process.kill(-pid, 'SIGKILL');
  process.once('exit', killNow);
  const end = async (signal: NodeJS.Signals, group: boolean) => {
    process.off('exit', killNow);
    if (child.exitCode !== null || child.signalCode !== null) return;
    // Each process of PostgreSQL is a group of its own, and would end its commit in peace.
    const started = group ? childrenOf(pid) : [];
    process.kill(group ? -pid : pid, signal);
    for (const one of started) killIfThere(one);
    await exited;
  };
  return { url, port, pid, stop: () => end(gentle, false), kill: () => end('SIGKILL', true) };
}

export function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, HOST);
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return address.port;
}

async function answering(child: ChildProcess, port: number, name: string): Promise<void> {
  for (let tries = 0; tries < START_TRIES; tries += 1) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    if (await answers(port, name)) return;
    await new Promise((resolve) => setTimeout(resolve, START_POLL_MS));
  }
  child.kill('SIGKILL');
  throw new Error(`${name} did not start on port ${port}.`);
}

/** Asks in the server's own language: a port may be open before its owner can answer. */
function answers(port: number, name: string): Promise<boolean> {
  const question =
    name === 'redis-server'
      ? Buffer.from('PING\r\n')
      : startupPacket({ user: 'postgres', database: 'postgres' });
  // PONG, or an AuthenticationOk.
  const wanted = name === 'redis-server' ? '+' : 'R';
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.write(question));
    socket.once('data', (bytes) => {
      resolve(bytes.toString('latin1', 0, 1) === wanted);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

function startupPacket(params: Record<string, string>): Buffer {
  const text = Object.entries(params).map(([key, value]) => `${key}\0${value}\0`);
  const body = Buffer.from(`${text.join('')}\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(196608, 4);
  return Buffer.concat([head, body]);
}

function postgresFolders(): string[] {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return [];
  const versions = readdirSync(root).map(Number).filter(Number.isFinite);
  return versions.sort((a, b) => b - a).map((version) => join(root, `${version}`, 'bin'));
}

/** PostgreSQL refuses to run as root. */
function postgresOwner(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function find(program: string, folders: string[], debianPackage: string): string {
  const found = lookUp(program, folders);
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) {
    throw new Error(
      `The tests need ${program}: install it (Debian: apt-get install ${debianPackage}), ` +
        'or set REDIS_URL and TEST_DATABASE_URL.',
    );
  }
  process.stderr.write(`Installing ${debianPackage}, which the tests need ...\n`);
  const apt = (...args: string[]) =>
    execFileSync('apt-get', ['-qq', ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  apt('update');
  apt('install', '-y', '--no-install-recommends', debianPackage);
  const installed = lookUp(program, postgresFolders());
  if (installed !== undefined) return installed;
  throw new Error(`${debianPackage} was installed, but ${program} is still not to be found.`);
}

function lookUp(program: string, folders: string[]): string | undefined {
  const path = (process.env.PATH ?? '').split(delimiter);
  const all = [...path, ...folders].map((folder) => join(folder, program));
  return all.find((file) => existsSync(file));
}
