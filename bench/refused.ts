// Scenario: a caller whose budget is used up, who asks as fast as it can: what a 402 costs.

import { type Bench, emptyOutcome, type Outcome } from './scenario.js';
import { MODEL } from './support/purser.js';
import { rowsInTurn, tableOf } from './support/rounds.js';
import * as sides from './support/sides.js';
import { runLoad, startUpstream, writeRequest } from './support/tools.js';

export async function refused(bench: Bench): Promise<Outcome> {
  const { quick, tools, told, folder } = bench;
  const upstream = await startUpstream(tools);
  const { sides: here, remarks } = await sides.startSides(
    [
      sides.purser('purser', { empty: true }),
      sides.purser('purser, Redis', { empty: true, redis: true }),
    ],
    { folder, upstreamPort: Number(upstream.line) },
    told,
  );
  try {
    const outcome = { ...emptyOutcome(), remarks };
    const content = 'Say something of a certain length. '.repeat(14);
    const ask = { model: MODEL, max_tokens: 256, messages: [{ role: 'user', content }] };
    const variants = here.map((side) => ({
      ...{ name: side.name, side, request: writeRequest(tools, side, ask) },
    }));
    const load = { connections: 64, status: 402 };
    for (const { side, request } of variants) {
      await runLoad(tools, { ...load, port: side.port, request, seconds: 1 });
    }
    outcome.rounds = await rowsInTurn(bench, '402', variants, async ({ name, side, request }) => {
      const before = side.cpuUs();
      const done = await runLoad(tools, {
        ...{ ...load, port: side.port, request, seconds: quick ? 1 : 2 },
      });
      if (done.failures) outcome.failures.push(`${name}: ${done.failures} were not 402`);
      return {
        ...{ variant: name, '402/s': done.perSecond },
        'CPU µs/402': (side.cpuUs() - before) / Math.max(1, done.requests),
        ...{ 'p50 µs': done.latencyP50Us, 'p99 µs': done.latencyP99Us, failures: done.failures },
      };
    });
    outcome.table = tableOf(outcome.rounds);
    return outcome;
  } finally {
    await sides.stopSides(here);
    await upstream.stop();
  }
}
