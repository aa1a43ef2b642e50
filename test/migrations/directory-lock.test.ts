import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDirectory } from '#src/drivers/directory-lock.js';

const LOCK = new URL('../../dist/drivers/directory-lock.js', import.meta.url).href;
// Tells `locked` or why not; stays until its input ends.
const STARTER = `
  const { lockDirectory } = await import(${JSON.stringify(LOCK)});
  process.stdin.resume();
  try {
    await lockDirectory({ dir: process.argv[1], owner: 'pid ' + process.pid });
    console.log('locked');
  } catch (error) {
    console.log(error.name + ': ' + error.message);
    process.exit(1);
  }`;

let dir: string;
let children: ChildProcess[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'purser-lock-'));
  children = [];
});
afterEach(async () => {
  await Promise.all(children.map(kill));
  await rm(dir, { recursive: true });
});

test('of 20 starters at once exactly one wins and 19 are told so in one line', async () => {
  const lines = await Promise.all(Array.from({ length: 20 }, () => start().line));
  expect(lines.filter((line) => line === 'locked')).toHaveLength(1);
  const refused = lines.filter((line) => line !== 'locked');
  // By its line and not by who still runs: who was refused may take its time to leave.
  const winner = children[lines.indexOf('locked')];
  // An owner that is too busy to say who it is still owns.
  const told = (owner: string) =>
    `OperatorError: Another Purser (${owner}) is using the data directory ${dir}.`;
  const expected = [told(`pid ${winner?.pid}`), told('unknown')];
  expect(refused.filter((line) => !expected.includes(line))).toEqual([]);
});

test('after kill -9 of its owner, of 20 starters at once exactly one wins, five times', async () => {
  for (let round = 0; round < 5; round += 1) {
    const starters = Array.from({ length: round === 0 ? 1 : 20 }, start);
    const lines = await Promise.all(starters.map(({ line }) => line));
    expect(lines.filter((line) => line === 'locked')).toHaveLength(1);
    await Promise.all(starters.map(({ child }) => kill(child)));
  }
  expect(await readdir(dir)).toHaveLength(1);
}, 60_000);

test('an owner that is stopped still owns', async () => {
  const owner = start();
  expect(await owner.line).toBe('locked');
  owner.child.kill('SIGSTOP');
  await expect(lockDirectory({ dir, owner: 'second' })).rejects.toThrow('is using');
  owner.child.kill('SIGCONT');
});

test('two of one process exclude each other, and a released directory is free again', async () => {
  const first = await lockDirectory({ dir, owner: 'first' });
  const second = lockDirectory({ dir, owner: 'second' });
  await expect(second).rejects.toMatchObject({
    message: `Another Purser (first) is using the data directory ${dir}.`,
    remedy: expect.stringContaining('PURSER_DATA_DIR'),
  });
  await first.release();
  const third = await lockDirectory({ dir, owner: 'third' });
  await third.release();
});

test('a path over 100 bytes is refused with a remedy', async () => {
  const long = join(dir, 'd'.repeat(100));
  await expect(lockDirectory({ dir: long, owner: 'me' })).rejects.toMatchObject({
    message: expect.stringContaining('too long'),
    remedy: expect.stringContaining('shorter'),
  });
});

test('a directory that is not there is told', async () => {
  const none = join(dir, 'none');
  await expect(lockDirectory({ dir: none, owner: 'me' })).rejects.toThrow('cannot be locked');
});

function start(): { child: ChildProcess; line: Promise<string> } {
  const child = spawn(process.execPath, ['--input-type=module', '-e', STARTER, dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const line = once(child.stdout, 'data').then(([bytes]) => String(bytes).trim());
  return { child, line };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
