// Scenario: streams at a pace, one write of the upstream per chunk, every 20 ms on each stream.
// First as many as every side carries with ease: CPU per chunk, delay, first byte. Then more than
// a side in Node can carry: how many chunks arrive a second when its core is full.

import { type Bench, emptyOutcome, type Outcome, type Row } from './scenario.js';
import { median } from './support/processes.js';
import { MODEL } from './support/purser.js';
import { rowsInTurn, tableOf } from './support/rounds.js';
import { busyShare, settled } from './support/settled.js';
import * as sides from './support/sides.js';
import { runLoad, startUpstream, writeRequest } from './support/tools.js';

// 7,500 and 75,000 chunks a second.
const EASY_STREAMS = 150;
const FULL_STREAMS = 1500;
const CHUNKS = 100;
/** V8 compiles what carries a chunk for half a minute, on threads that count. */
const WARM_S = 40;

interface Variant {
  name: string;
  side: sides.Side;
  easy: string;
  full: string;
  short: string;
}

export async function streaming(bench: Bench): Promise<Outcome> {
  const { quick, tools, told, folder } = bench;
  const upstream = await startUpstream(tools);
  const place = { folder, upstreamPort: Number(upstream.line) };
  const all = [sides.direct, sides.nginx, sides.bareProxy, sides.purser('purser')];
  if (!quick) all.push(sides.purser('purser, Redis', { redis: true }));
  const { sides: here, remarks } = await sides.startSides(all, place, told);
  try {
    const outcome = { ...emptyOutcome(), remarks };
    const variants: Variant[] = here.map((side) => ({
      ...{ name: side.name, side },
      easy: writeRequest(tools, side, body(CHUNKS)),
      full: writeRequest(tools, side, body(CHUNKS * 100)),
      // Thousands of them, until nothing is left to compile.
      short: writeRequest(tools, side, body(2)),
    }));
    for (const { side, easy, short } of variants) {
      const begun = { port: side.port, request: short, connections: 64, seconds: quick ? 0.7 : 6 };
      await runLoad(tools, begun);
      await settled(side);
      const warm = side.isNode ? WARM_S : 2;
      await runLoad(tools, { ...easyLoad(side, easy, quick ? 0.7 : warm), connections: 300 });
    }
    const noted = (row: Row): Row => {
      if (row.failures) outcome.failures.push(`${row.variant}: ${row.failures} streams failed`);
      return row;
    };
    const atPace = (variant: Variant) => paced(bench, variant).then(noted);
    outcome.rounds = await rowsInTurn(bench, 'streaming', variants, atPace);
    // Afterwards: a side that had 1,500 streams cut off has other things to do for a while.
    const crowded = (variant: Variant) => full(bench, variant, upstream.pid).then(noted);
    if (!quick) outcome.rounds.push(...(await rowsInTurn(bench, 'a full core', variants, crowded)));
    outcome.table = tableOf(outcome.rounds);
    outcome.figures = figuresOf(outcome.rounds);
    return outcome;
  } finally {
    await sides.stopSides(here);
    await upstream.stop();
  }
}

export function body(chunks: number): object {
  const content = 'Say something of a certain length. '.repeat(14);
  const messages = [{ role: 'user', content }];
  return { model: MODEL, max_tokens: chunks, stream: true, messages };
}

// A stream begins every 3.3 ms: their chunks lie evenly in the 20 ms.
const easyLoad = ({ port }: sides.Side, request: string, seconds: number) => ({
  ...{ port, request, seconds },
  ...{ connections: EASY_STREAMS, openRate: 303 },
});

async function paced({ tools, quick }: Bench, { name, side, easy }: Variant): Promise<Row> {
  const cpuBefore = side.cpuUs();
  const load = await runLoad(tools, easyLoad(side, easy, quick ? 1.5 : 3.5));
  await settled(side);
  return {
    variant: name,
    'CPU µs/chunk': (side.cpuUs() - cpuBefore) / Math.max(1, load.chunks),
    'first byte p50 µs': load.firstP50Us,
    'first byte p99 µs': load.firstP99Us,
    'delay p50 µs': load.delayP50Us,
    'delay p99 µs': load.delayP99Us,
    'chunks/s': load.chunksPerSecond,
    'core 1 %': '-',
    'RSS MB': side.rssBytes() / 2 ** 20,
    failures: load.failures,
  };
}

async function full(
  { tools }: Bench,
  { name, side, full: request }: Variant,
  upstreamPid: number,
): Promise<Row> {
  const busy = busyShare(upstreamPid, side);
  const crowd = { port: side.port, request, connections: FULL_STREAMS };
  const load = await runLoad(tools, { ...crowd, openRate: 1500, warm: 1.2, seconds: 3 });
  await settled(side);
  return {
    variant: `${name}, full`,
    ...{ 'CPU µs/chunk': '-', 'first byte p50 µs': '-', 'first byte p99 µs': '-' },
    ...{ 'delay p50 µs': '-', 'delay p99 µs': '-' },
    'chunks/s': load.chunksPerSecond,
    'core 1 %': busy(load),
    'RSS MB': side.rssBytes() / 2 ** 20,
    failures: load.failures,
  };
}

function figuresOf(rounds: readonly Row[]): Record<string, number> {
  const of = (variant: string, column: string) =>
    median(rounds.filter((row) => row.variant === variant).map((row) => Number(row[column])));
  const cpu = (variant: string) => of(variant, 'CPU µs/chunk');
  const added = (variant: string) => of(variant, 'delay p50 µs') - of('direct', 'delay p50 µs');
  const crowd = (variant: string) => of(`${variant}, full`, 'chunks/s');
  return Object.fromEntries(
    [
      // A core's chunks a second are a million over the CPU of one.
      ['streaming.chunks', cpu('bare proxy') / cpu('purser')],
      ['streaming.nginx', cpu('nginx') / cpu('purser')],
      ['streaming.redis', cpu('bare proxy') / cpu('purser, Redis')],
      ['streaming.full', crowd('purser') / crowd('bare proxy')],
      ['streaming.delay', added('purser') / added('bare proxy')],
    ].filter((entry): entry is [string, number] => Number.isFinite(entry[1]) && entry[1] !== 0),
  );
}
