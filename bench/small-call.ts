// Scenario: one small call that does not stream, through the whole flow (key, tokens, reserve,
// forward, meter, finalize, durable event), beside a direct call, nginx, a bare proxy and a peer.
// Each side sits on core 0 in turn; the upstream, the load and Redis share core 1.

import { type Bench, emptyOutcome, type Outcome, type Row } from './scenario.js';
import { mainThreadCpuUs, median } from './support/processes.js';
import { MODEL } from './support/purser.js';
import { rowsInTurn, tableOf } from './support/rounds.js';
import { busyShare, settled } from './support/settled.js';
import * as sides from './support/sides.js';
import { runLoad, startUpstream, writeRequest } from './support/tools.js';

/** Requests a second that arrive whether or not the side keeps up. */
const OPEN_RATE = 2000;
// Each waits for its event to be durable: with fewer it is the disk's latency that is measured.
const CONNECTIONS = 128;
/** What runs a few thousand times a second is compiled by then. */
const WARM_S = 10;

interface Variant {
  name: string;
  side: sides.Side;
  request: string;
}

export async function smallCall(bench: Bench): Promise<Outcome> {
  const { quick, tools, told } = bench;
  const upstream = await startUpstream(tools);
  const place = { folder: bench.folder, upstreamPort: Number(upstream.line) };
  const { sides: here, remarks } = await sides.startSides(
    quick ? [sides.direct, sides.nginx, sides.bareProxy, PURSER] : ALL,
    place,
    told,
  );
  try {
    const variants = here.flatMap((side) => variantsOf(bench, side));
    const seconds = quick ? 0.9 : 2.5;
    const outcome = emptyOutcome();
    for (const variant of variants)
      await warm(bench, variant, quick || !variant.side.isNode ? 0.5 : WARM_S);
    outcome.rounds = await rowsInTurn(bench, 'small call', variants, async (variant) => {
      const row = await measured(bench, variant, seconds, upstream.pid);
      if (row.failures) outcome.failures.push(`${variant.name}: ${row.failures} calls failed`);
      return row;
    });
    outcome.remarks = remarks;
    outcome.table = tableOf(outcome.rounds);
    outcome.figures = figuresOf(outcome.rounds);
    return outcome;
  } finally {
    await sides.stopSides(here);
    await upstream.stop();
  }
}

const PURSER = sides.purser('purser, 4 envelopes');
// Those whose ratio matters stand beside the bare proxy: a machine's speed changes in minutes.
const ALL = [
  ...[sides.direct, sides.nginx, sides.portkey],
  sides.purser('purser, 8 envelopes', { envelopes: 8 }),
  sides.purser('purser, PostgreSQL', { postgres: true }),
  sides.purser('purser, Redis + PostgreSQL', { redis: true, postgres: true }),
  ...[sides.bareProxy, PURSER],
  sides.purser('purser, 1 envelope', { envelopes: 1 }),
];

function variantsOf(bench: Bench, side: sides.Side): Variant[] {
  const known = { name: side.name, side, request: writeRequest(bench.tools, side, body('please')) };
  if (side.name !== 'purser, 4 envelopes' || bench.quick) return [known];
  const request = writeRequest(bench.tools, side, body('~~~~~~~~~~~~~~~~'));
  return [known, { name: 'purser, unseen prompt', side, request }];
}

function body(varied: string): object {
  return {
    model: MODEL,
    max_tokens: 256,
    messages: [
      { role: 'system', content: 'You are a bench. '.repeat(10) },
      { role: 'user', content: `${'Say something of a certain length. '.repeat(14)} ${varied}` },
    ],
  };
}

async function warm({ tools }: Bench, { side, request }: Variant, seconds: number): Promise<void> {
  await runLoad(tools, { port: side.port, request, connections: CONNECTIONS, seconds });
  await settled(side);
}

async function measured(
  bench: Bench,
  { name, side, request }: Variant,
  seconds: number,
  upstreamPid: number,
): Promise<Row> {
  const { tools } = bench;
  const to = { port: side.port, request, seconds };
  const cpuBefore = side.cpuUs();
  const otherBefore = side.otherCpuUs();
  const loopBefore = mainThreadCpuUs(side.pid ?? 0);
  const busy = busyShare(upstreamPid, side);
  const closed = await runLoad(tools, { ...to, connections: CONNECTIONS });
  const otherCore = busy(closed);
  // What a call leaves to be done afterwards (rows) is its cost, too.
  const settledMs = await settled(side);
  const calls = Math.max(1, closed.requests);
  const cpuUs = (side.cpuUs() - cpuBefore) / calls;
  const otherUs = (side.otherCpuUs() - otherBefore) / calls;
  const loopUs = (mainThreadCpuUs(side.pid ?? 0) - loopBefore) / calls;
  const one = await runLoad(tools, { ...to, connections: 1, seconds: seconds / 3 });
  const row: Row = {
    variant: name,
    'calls/s': closed.perSecond,
    'CPU µs/call': cpuUs,
    'of it loop µs': side.isNode ? loopUs : '-',
    'others µs/call': otherUs,
    'core 1 %': otherCore,
    'p99 µs': closed.latencyP99Us,
    'alone p50 µs': one.latencyP50Us,
    ...(await openLoop(bench, side, to, closed.perSecond)),
    'rows after ms': settledMs,
    'RSS MB': side.rssBytes() / 2 ** 20,
    failures: closed.failures + one.failures,
  };
  await settled(side);
  return row;
}

async function openLoop(
  { tools }: Bench,
  side: sides.Side,
  to: { port: number; request: string; seconds: number },
  perSecond: number,
): Promise<Row> {
  // At more than it can carry, latency is only the length of the test.
  if (perSecond < OPEN_RATE * 1.25)
    return { 'open p50 µs': '-', 'open p99 µs': '-', 'loop p99 ms': '-' };
  await side.metric(LOOP_DELAY);
  const open = await runLoad(tools, {
    ...to,
    rate: OPEN_RATE,
    connections: 256,
    seconds: to.seconds * 0.7,
  });
  const delay = await side.metric(LOOP_DELAY);
  return {
    'open p50 µs': open.latencyP50Us,
    'open p99 µs': open.latencyP99Us,
    // The monitor's own resolution of 10 ms is in what it tells.
    'loop p99 ms': delay === undefined ? '-' : Math.max(0, delay * 1000 - 10),
  };
}

const LOOP_DELAY = 'nodejs_eventloop_lag_p99_seconds';

function figuresOf(rounds: readonly Row[]): Record<string, number> {
  const of = (variant: string, column: string) =>
    median(rounds.filter((row) => row.variant === variant).map((row) => Number(row[column])));
  // Of each round by itself: what was measured minutes apart is not compared.
  const ratio = (column: string, variant: string, to: string) =>
    median(
      rounds
        .filter((row) => row.variant === variant)
        .map((row) => {
          const other = rounds.find((one) => one.variant === to && one.round === row.round);
          return Number(row[column]) / Number(other?.[column]);
        }),
    );
  const rate = (variant: string, to = 'bare proxy') => ratio('calls/s', variant, to);
  // Rows that are written after the last call are in this one, and not in calls/s.
  const cpu = (variant: string) => 1 / ratio('CPU µs/call', variant, 'bare proxy');
  const added = (variant: string) => of(variant, 'alone p50 µs') - of('direct', 'alone p50 µs');
  return Object.fromEntries(
    [
      ['small-call.embedded', rate('purser, 4 envelopes')],
      ['small-call.redis', rate('purser, Redis + PostgreSQL')],
      ['small-call.postgres', rate('purser, PostgreSQL')],
      ['small-call.embedded-cpu', cpu('purser, 4 envelopes')],
      ['small-call.redis-cpu', cpu('purser, Redis + PostgreSQL')],
      ['small-call.unseen', rate('purser, unseen prompt')],
      ['small-call.nginx', rate('purser, 4 envelopes', 'nginx')],
      ['small-call.peer', rate('purser, 4 envelopes', 'portkey')],
      ['small-call.added', added('purser, 4 envelopes') / added('nginx')],
    ].filter((entry): entry is [string, number] => Number.isFinite(entry[1]) && entry[1] !== 0),
  );
}
