// Scenarios: long conversations through the whole gateway, beside the bare proxy that only carries
// them; and what another caller, with small calls at a steady rate, feels of them meanwhile.

import { type Bench, emptyOutcome, type Outcome, type Row } from './scenario.js';
import { mainThreadCpuUs, median } from './support/processes.js';
import { rowsInTurn, tableOf } from './support/rounds.js';
import { settled } from './support/settled.js';
import * as sides from './support/sides.js';
import { conversation, letters } from './support/texts.js';
import { runLoad, startUpstream, type Tools, writeRequest } from './support/tools.js';

interface Variant {
  name: string;
  side: sides.Side;
  request: string;
}

async function withSides(
  bench: Bench,
  starts: readonly sides.Start[],
  measure: (here: sides.Side[], outcome: Outcome) => Promise<void>,
): Promise<Outcome> {
  const upstream = await startUpstream(bench.tools);
  const place = { folder: bench.folder, upstreamPort: Number(upstream.line) };
  const { sides: here, remarks } = await sides.startSides(starts, place, bench.told);
  try {
    const outcome = { ...emptyOutcome(), remarks };
    await measure(here, outcome);
    return outcome;
  } finally {
    await sides.stopSides(here);
    await upstream.stop();
  }
}

export function conversations(bench: Bench): Promise<Outcome> {
  const { quick, tools } = bench;
  return withSides(bench, [sides.bareProxy, sides.purser('purser')], async (here, outcome) => {
    const sizes = quick ? [400] : [16, 100, 400];
    const variants = here.flatMap((side) => sizes.flatMap((size) => ofSize(tools, side, size)));
    for (const { side, request } of variants) {
      await runLoad(tools, { port: side.port, request, connections: 4, seconds: 0.5 });
      await settled(side);
    }
    outcome.rounds = await rowsInTurn(bench, 'conversations', variants, async (variant) => {
      const { name, side, request } = variant;
      const [before, mainBefore] = [side.cpuUs(), mainThreadCpuUs(side.pid ?? 0)];
      const seconds = quick ? 1 : 1.5;
      const load = await runLoad(tools, { port: side.port, request, connections: 4, seconds });
      await settled(side);
      if (load.failures) outcome.failures.push(`${name}: ${load.failures} calls failed`);
      const calls = Math.max(1, load.requests);
      return {
        ...{ variant: name, 'calls/s': load.perSecond },
        'CPU ms/call': (side.cpuUs() - before) / calls / 1000,
        'loop CPU ms/call': (mainThreadCpuUs(side.pid ?? 0) - mainBefore) / calls / 1000,
        ...{ 'p50 ms': load.latencyP50Us / 1000, 'p99 ms': load.latencyP99Us / 1000 },
        failures: load.failures,
      };
    });
    outcome.table = tableOf(outcome.rounds);
  });
}

function ofSize(tools: Tools, side: sides.Side, size: number): Variant[] {
  const kinds = side.name === 'purser' ? (['unseen', 'growing'] as const) : (['unseen'] as const);
  return kinds.map((kind) => ({
    name: side.name === 'purser' ? `purser, ${size} KB, ${kind}` : `${side.name}, ${size} KB`,
    side,
    request: writeRequest(tools, side, conversation(size, kind)),
  }));
}

const CALLS_PER_SECOND = 200;
const NOBODY = 'nobody';

/**
 * Another caller's small calls, by themselves and beside each kind of long prompt; and what they
 * see of the machine and of the load itself, through a proxy that does nothing.
 */
export function neighbour(bench: Bench): Promise<Outcome> {
  const { quick, tools } = bench;
  // Its workers have the other core, as they would have one in earnest.
  const start = sides.purser('purser', { cores: '0,1' });
  return withSides(bench, [start, sides.bareProxy], async ([side, bare], outcome) => {
    if (!side || !bare) return;
    const variants = besides(tools, side, bare);
    const small = new Map([side, bare].map((one) => [one, smallCalls(tools, one)] as const));
    const both = async (seconds: number, { request, rate, through }: Beside) => {
      const calls = { ...small.get(through)!, connections: 64, rate: CALLS_PER_SECOND, seconds };
      const loads = [runLoad(tools, calls)];
      const long = { port: through.port, connections: 8, rate, seconds };
      if (request) loads.push(runLoad(tools, { ...long, request }));
      return Promise.all(loads);
    };
    // What has run a few hundred times is still interpreted, and compiled beside the calls.
    for (const calls of small.values()) {
      await runLoad(tools, { ...calls, connections: 16, seconds: quick ? 1 : WARM_S });
    }
    for (const variant of variants) await both(1, variant);
    await settled(side);
    outcome.rounds = await rowsInTurn(bench, 'a caller beside', variants, async (variant) => {
      const [calls, long] = await both(quick ? 1 : ROUND_S, variant);
      await settled(side);
      const failures = calls!.failures + (long?.failures ?? 0);
      if (failures) outcome.failures.push(`beside ${variant.name}: ${failures} calls failed`);
      const row: Row = {
        ...{ variant: variant.name, 'small p50 ms': calls!.latencyP50Us / 1000 },
        ...{
          'small p99 ms': calls!.latencyP99Us / 1000,
          'small most ms': calls!.latencyMostUs / 1000,
        },
        'of it sent late, p99 ms': calls!.lateP99Us / 1000,
        'long p50 ms': long ? long.latencyP50Us / 1000 : '-',
      };
      return { ...row, failures };
    });
    outcome.table = tableOf(outcome.rounds);
    const p99 = (variant: string) =>
      median(outcome.rounds.filter((row) => row.variant === variant).map(p99Of));
    const longs = variants.filter(({ request }) => request !== undefined);
    const moved = longs.map(({ name }) => p99(name) - p99(NOBODY));
    outcome.figures['neighbour.moved-ms'] = Math.max(...moved);
    outcome.remarks.push('the gateway has both cores here, for its workers; the load shares one');
  });
}

const WARM_S = 6;
/** Long enough for a p99 that one pause of the collector does not decide. */
const ROUND_S = 8;

interface Beside {
  name: string;
  rate: number;
  request: string | undefined;
  through: sides.Side;
}

function besides(tools: Tools, side: sides.Side, bare: sides.Side): Beside[] {
  const beside = (name: string, rate: number, body?: string): Beside => {
    const request = body === undefined ? undefined : writeRequest(tools, side, body);
    return { name, rate, request, through: side };
  };
  return [
    beside(NOBODY, 0),
    beside('400 KB, growing, 5/s', 5, conversation(400, 'growing')),
    beside('400 KB, unseen, 2/s', 2, conversation(400, 'unseen')),
    beside('1 MB of one letter, 1/s', 1, letters('~'.repeat(16))),
    { ...beside(`${NOBODY}, bare proxy`, 0), through: bare },
  ];
}

function smallCalls(tools: Tools, side: sides.Side) {
  const messages = [{ role: 'user', content: 'Say something of a certain length. '.repeat(14) }];
  const body = { model: 'bench/gpt-4o-mini', max_tokens: 256, messages };
  return { port: side.port, request: writeRequest(tools, side, body) };
}

const p99Of = (row: Row) => Number(row['small p99 ms']);
