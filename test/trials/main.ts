// `npm run trials -- <name> [--count N] [--seed S] [--write]`: long runs that no test waits for.
// The result is printed, and with --write kept in PROOF.md, in a section of its own.

import { execFileSync } from 'node:child_process';
import { readFlags } from '../support/flags.js';
import { runAborts } from './aborts.js';
import { runCuts } from './cuts.js';
import { runExactK } from './exact-k.js';
import { runKills } from './kills.js';
import { runPgKills } from './pg-kill.js';
import { runPrices } from './prices.js';
import { writeSection } from './proof.js';
import { runSplits } from './splits.js';
import { runStreams } from './streams.js';
import type { Trial, TrialResult } from './trial.js';

const TRIALS: Readonly<Record<string, Trial>> = {
  kills: {
    title: 'Gateways killed with -9 under load',
    unit: 'kills',
    countDefault: 25,
    run: runKills,
  },
  'pg-kill': {
    title: 'PostgreSQL killed with -9 while it commits',
    unit: 'kills',
    countDefault: 300,
    run: runPgKills,
  },
  'exact-k': {
    title: 'Exactly as many calls as there is room for, over four gateways',
    unit: 'rounds',
    countDefault: 1_000,
    run: runExactK,
  },
  splits: {
    title: 'Recordings of providers split anywhere',
    unit: 'splits of each',
    countDefault: 1_000,
    run: runSplits,
  },
  cuts: {
    title: 'Streams that meet the end of their budget',
    unit: 'streams',
    countDefault: 1_000,
    run: runCuts,
  },
  aborts: {
    title: 'Clients that leave a stream at a random byte',
    unit: 'calls',
    countDefault: 500,
    run: runAborts,
  },
  prices: {
    title: 'Generated usages, priced',
    unit: 'usages',
    countDefault: 1_000_000,
    run: runPrices,
  },
  streams: {
    title: 'Mutated streams',
    unit: 'streams',
    countDefault: 100_000,
    run: runStreams,
  },
};

const PROOF = new URL('../../PROOF.md', import.meta.url);
const BAR_WIDTH = 30;

const { values, positionals } = readFlags(usage(), {
  allowPositionals: true,
  options: {
    count: { type: 'string' },
    seed: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});

const name = positionals[0] ?? '';
const trial = Object.hasOwn(TRIALS, name) ? TRIALS[name] : undefined;
if (!trial) {
  process.stderr.write(usage());
  process.exitCode = 2;
} else {
  const count = numberOf('count', values.count) ?? trial.countDefault;
  const seed = numberOf('seed', values.seed) ?? Math.floor(Math.random() * 2 ** 31);
  process.stderr.write(`${trial.title}: ${count} ${trial.unit}, seed ${seed}\n`);
  const at = commit();
  const startedAt = performance.now();
  const onProgress = (done: number) => draw(done, count, trial.unit);
  const result = await trial.run({ count, seed, onProgress });
  const text = reportOf(trial, result, { at, count, seed, ms: performance.now() - startedAt });
  process.stdout.write(`${text}\n`);
  for (const violation of result.violations) process.stdout.write(`VIOLATION ${violation}\n`);
  if (values.write) await writeSection(PROOF, name, text);
  if (result.violations.length > 0) process.exitCode = 1;
}

function usage(): string {
  const names = Object.entries(TRIALS).map(([key, { title }]) => `  ${key.padEnd(10)} ${title}\n`);
  return `npm run trials -- <name> [--count N] [--seed S] [--write]\n${names.join('')}`;
}

function numberOf(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`--${flag} is a whole number, and not ${text}`);
}

function draw(done: number, count: number, unit: string): void {
  const { stderr } = process;
  if (!stderr.isTTY) return void stderr.write(`${done}/${count} ${unit}\n`);
  const filled = Math.round((BAR_WIDTH * done) / count);
  const bar = '#'.repeat(filled).padEnd(BAR_WIDTH, '.');
  stderr.write(`\r[${bar}] ${done}/${count} ${unit}${done === count ? '\n' : ''}`);
}

function reportOf(
  { title, unit }: Trial,
  { figures, violations }: TrialResult,
  run: { at: string; count: number; seed: number; ms: number },
): string {
  const passed = violations.length === 0;
  const { at, count, seed, ms } = run;
  const facts = [
    `\`npm run trials -- ${name} --count ${count} --seed ${seed}\` (${unit})`,
    `at commit ${at}`,
    `on ${new Date().toISOString().slice(0, 10)}`,
    `in ${Math.round(ms / 1000)} s`,
    `Node ${process.versions.node}`,
  ];
  const rows = [...figures, ['violations', violations.length] as const];
  return [
    `## ${title}: ${passed ? 'passed' : 'FAILED'}`,
    '',
    `${facts.join(', ')}.`,
    '',
    '| what | figure |',
    '|---|---:|',
    ...rows.map(([what, figure]) => `| ${what} | ${figure} |`),
  ].join('\n');
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const isDirty = git('status', '--porcelain', '--untracked-files=no') !== '';
  return `${git('rev-parse', '--short', 'HEAD')}${isDirty ? ' with changes' : ''}`;
}
