// `npm run bench`: all scenarios side by side, or one by `--only`. `--quick` takes under a minute,
// `--check` fails where a figure passes its committed floor, `--write` writes BENCH.md from it.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFlags } from '../test/support/flags.js';
import { meets } from './aims.js';
import { keepResults, writeReport } from './report.js';
import { emptyOutcome, type Outcome, type Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios.js';
import { machine } from './support/machine.js';
import { pin } from './support/processes.js';
import { LOAD_CORE, openTools } from './support/tools.js';

const usage = `npm run bench -- [--only a,b] [--quick] [--check] [--write]
  --only   ${Object.keys(SCENARIOS).join(', ')}
  --quick  under a minute, one short round, for seeing that it works
  --check  fails where a figure is beyond what bench/floors.json says
  --write  writes BENCH.md and docs/bench.svg; with --only just those parts of it anew
`;
const { values } = readFlags(usage, {
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

const wanted = values.only?.split(',') ?? namesOfAll(values.quick);
const unknown = wanted.filter((name) => !Object.hasOwn(SCENARIOS, name));
if (unknown.length > 0 || (values.quick && values.write)) {
  process.stderr.write(usage);
  process.exitCode = 2;
} else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130));
  const passed = await run(wanted);
  // Whatever a scenario that broke off has left open ends with us.
  process.exit(passed ? 0 : 1);
}

function namesOfAll(quick: boolean): string[] {
  const all = Object.entries(SCENARIOS).filter(([, { alone }]) => !alone);
  return all.filter(([, { slow }]) => !(quick && slow)).map(([name]) => name);
}

async function run(names: readonly string[]): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'purser-bench-'));
  const startMs = performance.now();
  const told = (text: string): void => {
    const seconds = Math.round((performance.now() - startMs) / 1000);
    process.stderr.write(`${String(seconds).padStart(4)} s  ${text}\n`);
  };
  try {
    const tools = openTools(folder);
    if (values.write) machine();
    // What measures stays away from the core of what is measured.
    pin(process.pid, LOAD_CORE);
    const expected = names.reduce((sum, name) => sum + (SCENARIOS[name]?.seconds ?? 0), 0);
    if (!values.quick) told(`${names.join(', ')}: about ${Math.ceil(expected / 60)} minutes`);
    const outcomes: Record<string, Outcome> = {};
    for (const name of names) {
      const outcome = await SCENARIOS[name]!.run({
        quick: values.quick,
        tools,
        folder,
        told,
      }).catch((error: Error) => ({ ...emptyOutcome(), failures: [`${name}: ${error.stack}`] }));
      if (tools.kind === 'Node') outcome.remarks.push('no C compiler: load and upstream are Node');
      outcomes[name] = outcome;
      show(SCENARIOS[name]!, outcome);
      // What broke off does not replace what was found before.
      const isWhole = outcome.table.length > 0;
      if (values.write && isWhole) keepResults({ [name]: outcome }, machine());
    }
    if (values.write) for (const file of writeReport()) told(`wrote ${file}`);
    return judge(outcomes);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function show({ title }: Scenario, { table, figures, remarks }: Outcome): void {
  process.stdout.write(`\n${title}\n`);
  console.table(
    table.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [
          name,
          typeof value === 'number' ? Number(value.toPrecision(value < 1000 ? 3 : 6)) : value,
        ]),
      ),
    ),
  );
  for (const [name, figure] of Object.entries(figures)) {
    process.stdout.write(`${name} = ${figure.toFixed(3)}\n`);
  }
  for (const remark of remarks) process.stdout.write(`(${remark})\n`);
}

/** False where anything failed or, with `--check`, a figure is beyond its floor. */
function judge(outcomes: Record<string, Outcome>): boolean {
  const failures = Object.values(outcomes).flatMap((outcome) => outcome.failures);
  if (values.check) {
    const file = readFileSync(join(import.meta.dirname, 'floors.json'), 'utf8');
    const floors = JSON.parse(file) as Record<string, { least?: number; most?: number }>;
    const figures = Object.assign({}, ...Object.values(outcomes).map((outcome) => outcome.figures));
    for (const [figure, floor] of Object.entries(floors)) {
      const found = figures[figure] as number | undefined;
      if (found === undefined || meets({ figure, says: '', ...floor }, found)) continue;
      failures.push(`${figure} = ${found.toFixed(3)}: beyond ${JSON.stringify(floor)}`);
    }
  }
  for (const failure of failures) process.stdout.write(`FAILED ${failure}\n`);
  process.stdout.write(failures.length === 0 ? 'no failures\n' : '');
  return failures.length === 0;
}
