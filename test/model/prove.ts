// `npm run prove -- --ops N --seed S [--redis URL] [--write]`: random histories, every reply and
// every counter audited, then the wrong ledgers and the small model. Ends with a report; with
// --write also in PROOF.md, between the marks of its own section.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { openRedisSubject } from '../contract/redis-subject.js';
import type { OpenSubject } from '../contract/subject.js';
import { manualClock } from '../support/manual-clock.js';
import { Violation } from './auditor.js';
import { drive } from './drive.js';
import { exploreSmallModel } from './small-model.js';
import { WRONG_LEDGERS } from './wrong-ledgers.js';

/** Each round has a ledger of its own, so that endings do not pile up in a long proof. */
const ROUND_OPERATIONS = 500_000;
const WRONG_OPERATIONS_MAX = 20_000;
const SMALL_MODEL_DEPTH = { memory: 8, redis: 3 };
const ROOT = join(import.meta.dirname, '..', '..');

const { values: flags } = parseArgs({
  options: {
    ops: { type: 'string', default: '200000' },
    seed: { type: 'string', default: '1' },
    redis: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const operations = wholeNumber('ops', flags.ops);
const seed = wholeNumber('seed', flags.seed);
const kind = flags.redis === undefined ? 'memory' : 'redis';

const openMemory: OpenSubject = async () => {
  const clock = manualClock(Date.UTC(2026, 9, 24, 9, 41));
  const ledger = createMemoryLedger({ clock });
  return { ledger, pass: async (ms) => clock.advance(ms), stop: () => ledger.close() };
};
const open: OpenSubject =
  flags.redis === undefined ? openMemory : () => openRedisSubject({ urls: [flags.redis!] });

const report: string[] = [];
try {
  await proveHistories();
  if (kind === 'memory') await proveThatTheAuditorBites();
  await proveSmallModel();
} catch (error) {
  if (!(error instanceof Violation)) throw error;
  process.stdout.write(`VIOLATION: ${error.message}\n`);
  process.exit(1);
}
process.stdout.write(`${report.join('\n')}\n`);
if (flags.write) writeSection(report);

async function proveHistories(): Promise<void> {
  const counts = new Map<string, number>();
  const startedAt = performance.now();
  let done = 0;
  for (let round = 0; done < operations; round++) {
    const subject = await open();
    const before = done;
    try {
      const wanted = Math.min(ROUND_OPERATIONS, operations - done);
      const jumps = kind === 'memory';
      const progress = (count: number): void => draw('histories', before + count, operations);
      const told = await drive(subject, {
        seed: seed + round,
        operations: wanted,
        jumps,
        progress,
      });
      done += told.operations;
      for (const [name, count] of told.counts) counts.set(name, (counts.get(name) ?? 0) + count);
    } catch (error) {
      process.stdout.write(`\nround ${round}, seed ${seed + round}\n`);
      throw error;
    } finally {
      await subject.stop();
    }
  }
  const seconds = (performance.now() - startedAt) / 1000;
  draw('histories', operations, operations);
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  report.push(
    `${done} random operations of 32 clients on the ${kind} ledger, ` +
      `${Math.round(done / seconds)}/s: 0 violations. Answers met:`,
    '',
    '| verb and answer | times |',
    '|---|--:|',
    ...rows.map(([name, count]) => `| ${name} | ${count} |`),
    '',
  );
}

async function proveThatTheAuditorBites(): Promise<void> {
  const caught: string[] = [];
  for (const [at, { name, breaks, wrap }] of WRONG_LEDGERS.entries()) {
    draw('wrong ledgers', at, WRONG_LEDGERS.length);
    const subject = await openMemory();
    const options = { seed, operations: WRONG_OPERATIONS_MAX, jumps: true };
    try {
      await drive({ ...subject, ledger: wrap(subject.ledger) }, options);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      caught.push(`* a ledger that ${name} (${breaks}): caught after ${error.after}`);
      continue;
    }
    throw new Violation(`nobody caught a ledger that ${name}`, WRONG_OPERATIONS_MAX);
  }
  draw('wrong ledgers', WRONG_LEDGERS.length, WRONG_LEDGERS.length);
  report.push(`${caught.length} wrong ledgers, each caught within ${WRONG_OPERATIONS_MAX}:`, '');
  report.push(...caught, '');
}

async function proveSmallModel(): Promise<void> {
  const depth = SMALL_MODEL_DEPTH[kind];
  draw('small model', 0, 1);
  const { states, edges } = await exploreSmallModel(open, depth);
  draw('small model', 1, 1);
  report.push(`Small model to depth ${depth}: ${states} states, ${edges} steps tried.`, '');
}

function draw(title: string, done: number, all: number): void {
  const share = Math.min(1, done / all);
  const bar = '#'.repeat(Math.round(share * 30)).padEnd(30, '.');
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const text = `${title.padEnd(14)} [${bar}] ${percent} ${done}/${all}`;
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}${share === 1 ? '\n' : ''}`);
  else if (share === 1) process.stderr.write(`${text}\n`);
}

function writeSection(lines: readonly string[]): void {
  const path = join(ROOT, 'PROOF.md');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '# Proof\n';
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT });
  const [begin, end] = [`<!-- prove ${kind} -->`, `<!-- end of prove ${kind} -->`];
  const command = `npm run prove -- --ops ${operations} --seed ${seed}`;
  const told = `\`${command}\` at commit ${commit.toString().trim()}, Node ${process.version}.`;
  const section = [begin, `## The ${kind} ledger`, '', told, '', ...lines, end].join('\n');
  const at = text.indexOf(begin);
  const rest = at < 0 ? '' : text.slice(text.indexOf(end) + end.length).replace(/^\n/, '');
  const head = at < 0 ? `${text.trimEnd()}\n\n` : text.slice(0, at);
  writeFileSync(path, `${head}${section}\n${rest}`);
}

function wholeNumber(name: string, value: string): number {
  if (/^\d{1,12}$/.test(value)) return Number(value);
  process.stderr.write(`--${name} wants a whole number, not ${value}\n`);
  process.exit(2);
}
