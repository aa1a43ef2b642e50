// `npm run prove -- [--ledger memory|redis] [--ops N] [--faults M] [--seed S] [--write]`: random
// histories of 32 clients, every reply and every counter audited, then the wrong ledgers and the
// small model; with faults, on a Redis of its own, all that can happen to it. Ends with a report;
// with --write it is kept in PROOF.md, in a section of its own.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { proveFaults } from '../faults/prove.js';
import { readFlags } from '../support/flags.js';
import { startRedis } from '../support/programs.js';
import { writeSection } from '../trials/proof.js';
import { Violation } from './auditor.js';
import { draw } from './bar.js';
import { proveHistories } from './prove-histories.js';
import { provePlaces, proveSmallModel } from './prove-small-model.js';
import { proveThatTheAuditorBites } from './prove-wrong-ledgers.js';
import { openManyOnRedis, openMemory } from './subjects.js';

const PROOF = new URL('../../PROOF.md', import.meta.url);
const USAGE =
  'npm run prove -- [--ledger memory|redis] [--ops N] [--faults M] [--seed S] [--write]\n' +
  'Faults happen to Redis: with --faults the ledger is redis.\n';

const { values: flags } = readFlags(USAGE, {
  options: {
    ledger: { type: 'string', default: 'memory' },
    ops: { type: 'string', default: '200000' },
    faults: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
});
const operations = wholeNumber('ops', flags.ops);
const faults = wholeNumber('faults', flags.faults);
const seed = wholeNumber('seed', flags.seed);
if (!['memory', 'redis'].includes(flags.ledger)) {
  process.stderr.write(USAGE);
  process.exit(2);
}
const kind = faults > 0 ? 'faults' : flags.ledger;

const startedAt = performance.now();
const at = commit();
try {
  const report = await prove();
  process.stdout.write(`${report}\n`);
  if (flags.write) await writeSection(PROOF, `prove-${kind}`, report);
} catch (error) {
  if (!(error instanceof Violation)) throw error;
  process.stdout.write(`\nVIOLATION: ${error.message}\n`);
  process.exitCode = 1;
}

async function prove(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-prove-'));
  try {
    const lines = await { memory: onMemory, redis: onRedis, faults: withFaults }[kind]!(folder);
    return headed(lines);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function onMemory(): Promise<string[]> {
  return [
    ...(await proveHistories({ kind: 'memory', open: openMemory, operations, seed })),
    ...(await proveThatTheAuditorBites(seed)),
    ...(await proveSmallModel()),
  ];
}

async function onRedis(folder: string): Promise<string[]> {
  const server = await startRedis(folder);
  const { open, close } = await openManyOnRedis(server.url);
  try {
    return [
      ...(await proveHistories({ kind: 'redis', open, operations, seed })),
      ...(await provePlaces(open)),
    ];
  } finally {
    await close();
    await server.kill();
  }
}

function withFaults(folder: string): Promise<string[]> {
  const progress = (done: number, heard: number): void => {
    draw(`${heard} answers`, done, faults, 'faults');
  };
  return proveFaults({ seed, operations, faults, folder, progress });
}

function headed(lines: readonly string[]): string {
  const titles: Record<string, string> = {
    memory: 'The memory ledger under 32 clients',
    redis: 'The ledger on Redis under 32 clients',
    faults: 'The ledger on Redis while everything happens to it',
  };
  const flagsOf = faults > 0 ? ` --faults ${faults}` : '';
  const command = `npm run prove -- --ledger ${flags.ledger} --ops ${operations}${flagsOf} --seed ${seed}`;
  const facts = [
    `\`${command}\``,
    `at commit ${at}`,
    `on ${new Date().toISOString().slice(0, 10)}`,
    `in ${Math.round((performance.now() - startedAt) / 1000)} s`,
    `Node ${process.versions.node}`,
  ];
  return [`## ${titles[kind]}: passed`, '', `${facts.join(', ')}.`, '', ...lines]
    .join('\n')
    .trimEnd();
}

function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const isDirty = git('status', '--porcelain', '--untracked-files=no') !== '';
  return `${git('rev-parse', '--short', 'HEAD')}${isDirty ? ' with changes' : ''}`;
}

function wholeNumber(name: string, value: string): number {
  if (/^\d{1,12}$/.test(value)) return Number(value);
  process.stderr.write(`--${name} wants a whole number, not ${value}\n`);
  process.exit(2);
}
