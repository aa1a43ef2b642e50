// `npm run bench`: the small call; with `--only` another scenario. `--quick` takes under a minute,
// `--check` fails where a figure is below its committed floor.

import { parseArgs } from 'node:util';
import { reports, showReports } from './reports.js';
import { showRows, usageRows } from './rows.js';
import { showSmallCall, smallCall } from './small-call.js';

type Told = (text: string) => void;

/** Each shows its figures and answers whether they pass. */
const SCENARIOS: Readonly<
  Record<string, (options: { quick: boolean; check: boolean }, told: Told) => Promise<boolean>>
> = {
  async 'small-call'({ quick, check }, told) {
    const options = quick ? { seconds: 2, rounds: 3 } : { seconds: 8, rounds: 3 };
    return showSmallCall(await smallCall(options, told), check);
  },
  async rows({ quick, check }, told) {
    const options = quick
      ? { rows: 10_000, batch: 1000, seconds: 3 }
      : { rows: 50_000, batch: 1000, seconds: 10 };
    return showRows(await usageRows(options, told)) || !check;
  },
  async reports({ quick, check }, told) {
    return showReports(await reports({ rows: quick ? 100_000 : 1_000_000 }, told)) || !check;
  },
};

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'small-call' },
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const usage =
  'npm run bench -- [--only <scenario>] [--quick] [--check]\n' +
  `Scenarios: ${Object.keys(SCENARIOS).join(', ')}\n`;
const scenario = Object.hasOwn(SCENARIOS, values.only) ? SCENARIOS[values.only] : undefined;
if (values.help || !scenario) {
  process.stdout.write(usage);
  if (!values.help) process.exitCode = 2;
} else {
  const told: Told = (text) => void process.stderr.write(`${text}\n`);
  if (!(await scenario(values, told))) process.exitCode = 1;
}
