// One process per data directory, told by a listening unix socket in it: who connects knows that
// its owner lives, which a pid file cannot say after kill -9 or in a container.
// Sockets are numbered `lock.1`, `lock.2`, ... and the highest number decides. A dead one is never
// moved or unlinked while it is the highest: its successor takes the next number, and making a
// link is what only one of many starters can do. So nobody can take away a lock that lives.

import { once } from 'node:events';
import { link, readdir, unlink } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { OperatorError } from '../core/errors.js';
import { randomBase62 } from '../core/id.js';

export interface DirectoryLock {
  /** Frees the directory. The process's end does the same. */
  release(): Promise<void>;
}

export interface DirectoryLockOptions {
  dir: string;
  /** What the owner tells who asks, such as its process id: one short line. */
  owner: string;
}

// Node listens on a longer path without complaint and makes nothing: Linux keeps 107 bytes.
const PATH_BYTES_MAX = 100;
const PROBE_TIMEOUT_MS = 2_000;
const TRIES_MAX = 100;
const NUMBERED = /^lock\.([0-9]+)$/;
const NEW = /^lock\.new-[0-9A-Za-z]+$/;

type Probe = { state: 'alive'; owner: string } | { state: 'dead' } | { state: 'gone' };

/** Takes the directory or throws an OperatorError that says in one line who has it. */
export async function lockDirectory(options: DirectoryLockOptions): Promise<DirectoryLock> {
  const { dir, owner } = options;
  const ownPath = join(dir, `lock.new-${randomBase62(8)}`);
  refuseLongPath(dir, ownPath);
  const server = await listen(ownPath, owner);
  try {
    await claim(dir, ownPath);
  } catch (error) {
    await close(server);
    throw error;
  }
  server.unref();
  return { release: () => close(server) };
}

/** Links our listening socket to the number after the highest, if that one is dead. */
async function claim(dir: string, ownPath: string): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const highest = Math.max(0, ...(await numbers(dir)));
    if (highest > 0) {
      const probe = await ask(numbered(dir, highest));
      if (probe.state === 'alive') throw taken(dir, probe.owner);
      if (probe.state === 'gone') continue;
    }
    const mine = highest + 1;
    if (!(await linked(ownPath, numbered(dir, mine)))) continue;
    // A starter that slept since it looked may have linked a number that was swept away long ago;
    // a higher one is then there, because the highest is never unlinked.
    if (Math.max(...(await numbers(dir))) === mine) {
      await sweep(dir, mine, ownPath);
      return;
    }
    await unlink(numbered(dir, mine));
  }
  throw new OperatorError(
    `The data directory ${dir} changes hands all the time.`,
    'Start one Purser at a time, or give each its own PURSER_DATA_DIR.',
  );
}

async function numbers(dir: string): Promise<number[]> {
  const names = await readdir(dir);
  return names.flatMap((name) => NUMBERED.exec(name)?.slice(1).map(Number) ?? []);
}

function numbered(dir: string, number: number): string {
  return join(dir, `lock.${number}`);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw new OperatorError(
      `The data directory cannot be locked: ${error instanceof Error ? error.message : error}`,
      'Put PURSER_DATA_DIR on a local file system that has hard links and unix sockets.',
      { cause: error },
    );
  }
}

/** Takes away what was left by the dead. */
async function sweep(dir: string, mine: number, ownPath: string): Promise<void> {
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const number = NUMBERED.exec(name)?.[1];
    const older = number !== undefined && Number(number) < mine;
    const left = NEW.test(name) && path !== ownPath && (await ask(path)).state === 'dead';
    if (older || left) await unlinkIfThere(path);
  }
  await unlinkIfThere(ownPath);
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

async function listen(path: string, owner: string): Promise<Server> {
  const server = createServer((socket) => {
    // Who only wanted to know whether we live may be gone already.
    socket.on('error', () => socket.destroy());
    socket.end(`${owner}\n`);
  });
  try {
    // Exclusive: under `cluster` the primary would hold the socket, and outlive its owner.
    server.listen({ path, exclusive: true });
    await once(server, 'listening');
    return server;
  } catch (cause) {
    throw new OperatorError(
      `The data directory cannot be locked: ${cause instanceof Error ? cause.message : cause}`,
      'Check that the directory is there, may be written to, and can hold unix sockets.',
      { cause },
    );
  }
}

/** Anything but a refused connection counts as alive: a busy or stopped owner is still one. */
function ask(path: string): Promise<Probe> {
  return new Promise((resolve) => {
    let owner = '';
    const socket = connect(path);
    const alive = () => resolve({ state: 'alive', owner: owner.trim() || 'unknown' });
    socket.setTimeout(PROBE_TIMEOUT_MS, () => {
      alive();
      socket.destroy();
    });
    socket.on('data', (bytes) => {
      owner += bytes.toString('utf8');
    });
    socket.on('end', alive);
    socket.on('error', (error) => {
      if (codeOf(error) === 'ECONNREFUSED') resolve({ state: 'dead' });
      else if (codeOf(error) === 'ENOENT') resolve({ state: 'gone' });
      else alive();
    });
  });
}

async function close(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function refuseLongPath(dir: string, path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes <= PATH_BYTES_MAX) return;
  throw new OperatorError(
    `The data directory's path is too long for a unix socket: ${dir} (${bytes} of ` +
      `${PATH_BYTES_MAX} bytes with the lock's name).`,
    'Set PURSER_DATA_DIR to a shorter path, or start Purser from a directory nearer to it.',
  );
}

function taken(dir: string, owner: string): OperatorError {
  return new OperatorError(
    `Another Purser (${owner}) is using the data directory ${dir}.`,
    'Stop it first, or set PURSER_DATA_DIR and PORT to others for a second one.',
  );
}
