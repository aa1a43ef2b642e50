// BENCH.md and its chart, written from the results of the last full runs, which are kept raw in
// bench/results.json: a scenario that is run by itself renews its own part.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AIMS, type Aim, meets } from './aims.js';
import { chart } from './chart.js';
import type { Outcome, Row } from './scenario.js';
import { SCENARIOS } from './scenarios.js';
import type { Machine } from './support/machine.js';

const ROOT = join(import.meta.dirname, '..');
const RESULTS = join(import.meta.dirname, 'results.json');
const NOTES = join(import.meta.dirname, 'notes.md');

export type Results = Record<string, Outcome & { machine: Machine }>;

function readResults(): Results {
  return existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Results) : {};
}

export function keepResults(outcomes: Record<string, Outcome>, machine: Machine): void {
  const results = readResults();
  for (const [name, outcome] of Object.entries(outcomes)) results[name] = { ...outcome, machine };
  writeFileSync(RESULTS, `${JSON.stringify(results, rounded, 1)}\n`);
}

const rounded = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;

/** Writes both and answers their paths. */
export function writeReport(): string[] {
  const results = readResults();
  const notes = readNotes(readFileSync(NOTES, 'utf8'));
  writeFileSync(join(ROOT, 'docs/bench.svg'), chart(results));
  writeFileSync(join(ROOT, 'BENCH.md'), report(results, notes));
  return ['BENCH.md', 'docs/bench.svg', 'bench/results.json'];
}

/** Each section `## figure` of the notes, by the figure's name. */
export function readNotes(text: string): Map<string, string> {
  const sections = text.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const end = section.indexOf('\n');
      return [section.slice(0, end).trim(), section.slice(end).trim()];
    }),
  );
}

export function report(results: Results, notes: ReadonlyMap<string, string>): string {
  const here = Object.keys(SCENARIOS).filter((name) => results[name] !== undefined);
  const figures = Object.assign({}, ...here.map((name) => results[name]!.figures));
  return [
    '# Bench',
    '',
    'Written by `npm run bench -- --write`; do not edit. Reasons come from `bench/notes.md`. Trust',
    'the ratios, not the absolutes: all sides of a scenario ran on the same core in the same minutes.',
    '',
    ...whereabouts(here.map((name) => [SCENARIOS[name]!.title, results[name]!.machine])),
    '',
    '![Figures](docs/bench.svg)',
    '',
    '## Aims',
    '',
    ...aimTable(figures),
    ...missed(figures, notes),
    ...here.flatMap((name) => scenarioPart(name, results[name]!)),
  ].join('\n');
}

function whereabouts(runs: [string, Machine][]): string[] {
  const lines = new Map<string, string[]>();
  for (const [title, machine] of runs) {
    const { commit, date, node, processor, memoryGb, kernel, compiler, fdatasyncMs } = machine;
    const text =
      `commit ${commit} of ${date} UTC, Node ${node}, ${processor}, ${memoryGb} GB, Linux ${kernel}, ` +
      `load and upstream by ${compiler}${machine.pinned ? '' : ', NOT pinned to cores'}, ` +
      `fdatasync ${fdatasyncMs.toFixed(2)} ms`;
    lines.set(text, [...(lines.get(text) ?? []), title]);
  }
  return [...lines].map(([text, titles]) => `* ${titles.join(', ')}: ${text}.`);
}

function aimTable(figures: Record<string, number>): string[] {
  const line = (aim: Aim): string => {
    const found = figures[aim.figure];
    const wanted = aim.least === undefined ? `at most ${aim.most}` : `at least ${aim.least}`;
    const stretch = aim.stretch === undefined ? '' : ` (stretch ${aim.stretch})`;
    const verdict = found === undefined ? 'not measured' : meets(aim, found) ? 'met' : '**missed**';
    return `| ${aim.says} | ${wanted}${stretch} | ${found === undefined ? '-' : show(found)} | ${verdict} |`;
  };
  return ['| what | aim | found | |', '|---|---|--:|---|', ...AIMS.map(line), ''];
}

function missed(figures: Record<string, number>, notes: ReadonlyMap<string, string>): string[] {
  const all = AIMS.filter(({ figure }) => figures[figure] !== undefined);
  const aims = all.filter((aim) => !meets(aim, figures[aim.figure]!));
  if (aims.length === 0) return [];
  const parts = aims.flatMap(({ figure, says }) => [
    `**${says}** (${show(figures[figure]!)}):`,
    notes.get(figure) ?? 'no reason is written down yet (`bench/notes.md`).',
    '',
  ]);
  return ['## What misses its aim, and what it would take', '', ...parts];
}

function scenarioPart(
  name: string,
  { table, rounds, remarks, figures, failures }: Outcome,
): string[] {
  const scenario = SCENARIOS[name]!;
  const told = Object.entries(figures).map(([figure, value]) => `\`${figure}\` = ${show(value)}`);
  const failed = failures.map((failure) => `**Failed**: ${failure.split('\n')[0]}`);
  const said = [...failed, ...remarks];
  return [
    `## ${scenario.title}`,
    '',
    scenario.about,
    '',
    ...markdownTable(table),
    '',
    ...(told.length > 0 ? [`${told.join(', ')}.`, ''] : []),
    ...said.map((text) => `* ${text}`),
    ...(said.length > 0 ? [''] : []),
    '<details><summary>Raw rounds</summary>',
    '',
    ...markdownTable(rounds),
    '',
    '</details>',
    '',
  ];
}

function markdownTable(rows: readonly Row[]): string[] {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((column) =>
    rows.some((row) => row[column] !== undefined && row[column] !== '-'),
  );
  const cell = (value: string | number | undefined): string =>
    typeof value === 'number' ? show(value) : (value ?? '-');
  const right = (column: string) => rows.some((row) => typeof row[column] === 'number');
  return [
    `| ${columns.join(' | ')} |`,
    `|${columns.map((column) => (right(column) ? '--:' : '---')).join('|')}|`,
    ...rows.map((row) => `| ${columns.map((column) => cell(row[column])).join(' | ')} |`),
  ];
}

/** Three figures that mean something, thousands with commas. */
function show(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return Number.isInteger(value) ? `${value}` : value.toPrecision(3).replace(/\.0+$/, '');
}
