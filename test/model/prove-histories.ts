// Histories as long as asked, in rounds, each with a ledger of its own, so that endings do not pile
// up in a long proof; and how often each answer was met.

import type { OpenSubject } from '../contract/subject.js';
import { draw } from './bar.js';
import { drive } from './drive.js';

const ROUND_OPERATIONS = 500_000;

export async function proveHistories(options: {
  kind: 'memory' | 'redis';
  open: OpenSubject;
  operations: number;
  seed: number;
}): Promise<string[]> {
  const { kind, open, operations, seed } = options;
  const counts = new Map<string, number>();
  const startedAt = performance.now();
  let done = 0;
  for (let round = 0; done < operations; round++) {
    const subject = await open();
    const before = done;
    try {
      const told = await drive(subject, {
        seed: seed + round,
        operations: Math.min(ROUND_OPERATIONS, operations - done),
        jumps: kind === 'memory',
        progress: (count) => draw('histories', before + count, operations),
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
  const rate = Math.round(done / seconds);
  return [
    `${done} random operations of 32 clients on the ${kind} ledger, ${rate}/s: 0 violations.`,
    '',
    ...countsTable(counts),
  ];
}

export function countsTable(counts: ReadonlyMap<string, number>): string[] {
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = rows.map(([name, count]) => `| ${name} | ${count} |`);
  return ['| verb and answer | times |', '|---|---:|', ...lines, ''];
}
