// BENCH.md as it is written: no figure beside its aim is left out, and one that misses says why.

import { expect, test } from 'vitest';
import { AIMS } from '../../bench/aims.js';
import { chart } from '../../bench/chart.js';
import { type Results, readNotes, report } from '../../bench/report.js';

const MACHINE = {
  ...{ commit: 'abc1234', date: '2026-11-21 10:00', node: 'v20.20.2', processor: '2 x Some' },
  ...{ memoryGb: 24, kernel: '6.1', compiler: 'cc 12', pinned: true, fdatasyncMs: 1.25 },
};

function results(embedded: number): Results {
  const rounds = [
    { round: 1, variant: 'bare proxy', 'calls/s': 20_500.4 },
    { round: 1, variant: 'purser <4>', 'calls/s': 12_300 },
  ];
  const figures = { 'small-call.embedded': embedded };
  const outcome = { table: rounds, rounds, figures, remarks: ['portkey is skipped'], failures: [] };
  return { 'small-call': { ...outcome, machine: MACHINE } };
}

test('every aim is in the report, measured or not', () => {
  const text = report(results(0.61), new Map());
  for (const { says } of AIMS) expect(text).toContain(`| ${says} |`);
  expect(text).toContain('| at least 0.6 (stretch 0.75) | 0.610 | met |');
  expect(text).toContain('not measured');
  expect(text).not.toContain('What misses its aim');
});

test('a figure that misses its aim has its reason from the notes, or says that there is none', () => {
  const notes = readNotes(
    '# Title\n\nText.\n\n## small-call.embedded\n\nfsync, 40 %.\n\n## b\n\nc\n',
  );
  expect(report(results(0.5), notes)).toContain('(0.500):\nfsync, 40 %.\n');
  expect(report(results(0.5), new Map())).toContain('no reason is written down yet');
});

test('the machine, the remarks and the raw rounds are kept', () => {
  const text = report(results(0.61), new Map());
  expect(text).toContain('commit abc1234 of 2026-11-21 10:00 UTC, Node v20.20.2');
  expect(text).toContain('* portkey is skipped');
  expect(text.split('| 20,500 |')).toHaveLength(3);
});

test('the chart has a bar a variant, and names are text', () => {
  const svg = chart(results(0.61));
  expect(svg.match(/<rect/g)).toHaveLength(2);
  expect(svg).toContain('purser &lt;4>');
});
