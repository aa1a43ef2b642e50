// `npm run bench`: every scenario in turn, a table at the end. `--quick` takes under a minute,
// `--check` fails where a ratio is below its committed floor.

import { parseArgs } from 'node:util';
import { SMALL_CALL_FLOOR, smallCall } from './small-call.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write('npm run bench -- [--quick] [--check]\n');
} else {
  const told = (text: string): void => void process.stderr.write(`${text}\n`);
  const result = await smallCall(
    values.quick ? { seconds: 2, rounds: 3 } : { seconds: 8, rounds: 3 },
    told,
  );
  const rows = result.rounds.map((round) => ({
    variant: round.variant,
    'calls/s': Math.round(round.perSecond),
    'p50 µs': round.p50Us,
    'p99 µs': round.p99Us,
    'CPU µs/call': Math.round(round.cpuUsPerCall),
    failures: round.failures,
  }));
  console.table(rows);
  process.stdout.write(`small call: purser / bare proxy = ${result.ratio.toFixed(3)}\n`);
  const failed = result.rounds.some((round) => round.failures > 0);
  if (failed) process.stdout.write('some calls failed\n');
  if (failed || (values.check && result.ratio < SMALL_CALL_FLOOR)) {
    process.stdout.write(`below the floor of ${SMALL_CALL_FLOOR}\n`);
    process.exitCode = 1;
  }
}
