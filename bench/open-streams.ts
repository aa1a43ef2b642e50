// Scenarios: what an open stream costs in memory, at 1,000 and at 9,000 of them, each with a chunk
// a second; and whether that stays as it is for ten minutes while streams end and others begin.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, emptyOutcome, type Outcome, type Row } from './scenario.js';
import { body } from './streaming.js';
import { openFilesMax } from './support/machine.js';
import { median } from './support/processes.js';
import { rowsInTurn, tableOf } from './support/rounds.js';
import { settled } from './support/settled.js';
import * as sides from './support/sides.js';
import { type Load, openStreams, runLoad, startUpstream, writeRequest } from './support/tools.js';

const FEW = 1000;
const MANY = 9000;
const INTERVAL_MS = 1000;
// As fast as the side lets them begin.
const OPENING = 64;
const SOAK_MINUTES = 10;
const SOAK_SAMPLE_S = 10;

/** What the limit of open files allows: two for each stream on the side, and some. */
function streamsMost(remarks: string[]): number {
  const most = Math.floor((openFilesMax() - 500) / 2);
  if (most >= MANY) return MANY;
  remarks.push(`only ${most} streams: the limit of open files is ${openFilesMax()}`);
  return most;
}

export async function manyStreams(bench: Bench): Promise<Outcome> {
  const outcome = emptyOutcome();
  const most = bench.quick ? FEW : streamsMost(outcome.remarks);
  const counts = bench.quick ? [200, FEW] : [FEW, most];
  const starts = [
    { name: 'nginx', start: sides.nginx },
    { name: 'bare proxy', start: sides.bareProxy },
    { name: 'purser', start: sides.purser('purser') },
  ];
  // Fresh every time: memory that was once used is seldom given back.
  outcome.rounds = (
    await rowsInTurn(bench, 'open streams', starts, ({ start }) =>
      one(bench, start, counts, outcome),
    )
  ).filter(({ 'RSS MB': rss }) => rss !== undefined);
  outcome.table = tableOf(outcome.rounds);
  const perStream = (variant: string) =>
    median(
      outcome.rounds
        .filter((row) => row.variant === variant)
        .map((row) => Number(row[`KB/stream at ${counts[1]}`])),
    );
  const [own, bare, nginx] = ['purser', 'bare proxy', 'nginx'].map(perStream);
  outcome.figures['open-streams.rss'] = own! / bare!;
  if (nginx) outcome.figures['open-streams.rss-nginx'] = own! / nginx;
  outcome.remarks = [...new Set(outcome.remarks)];
  return outcome;
}

async function one(
  bench: Bench,
  start: sides.Start,
  [few = 0, many = 0]: number[],
  outcome: Outcome,
): Promise<Row> {
  const { tools, folder } = bench;
  const upstream = await startUpstream(tools, INTERVAL_MS);
  const side = await start({ folder, upstreamPort: Number(upstream.line) });
  try {
    if ('skipped' in side) {
      outcome.remarks.push(`${side.name} is skipped: ${side.skipped}`);
      return { variant: side.name };
    }
    await warm(bench, side);
    const request = writeRequest(tools, side, body(100_000));
    const load = { port: side.port, request, seconds: 3600, opening: OPENING, sources: 8 };
    const before = side.rssBytes();
    const first = await openStreams(tools, { ...load, connections: few }, 90_000);
    await sleep(bench.quick ? 500 : 1500);
    const atFew = side.rssBytes();
    const second = await openStreams(tools, { ...load, connections: many - few }, 60_000);
    await sleep(bench.quick ? 500 : 3000);
    const atMany = side.rssBytes();
    const ended = [await second.end(), await first.end()];
    const failures = ended.reduce((sum, { failures }) => sum + failures, 0);
    if (failures > 0) outcome.failures.push(`${side.name}: ${failures} streams failed`);
    return {
      variant: side.name,
      [`KB/stream at ${few}`]: (atFew - before) / few / 1024,
      [`KB/stream at ${many}`]: (atMany - before) / many / 1024,
      'RSS MB': atMany / 2 ** 20,
      'delay p50 µs': ended[0]!.delayP50Us,
      'delay p99 µs': ended[0]!.delayP99Us,
      failures,
    };
  } catch (error) {
    outcome.failures.push((error as Error).message);
    return { variant: side.name };
  } finally {
    if (!('skipped' in side)) await side.stop();
    await upstream.stop();
  }
}

/** So that what is loaded and compiled once is not counted as a stream's. */
async function warm({ tools, quick }: Bench, side: sides.Side): Promise<void> {
  const request = writeRequest(tools, side, body(2));
  const load = { port: side.port, request, connections: 300, openRate: 300 };
  await runLoad(tools, { ...load, seconds: quick ? 1.5 : 2.5 });
  await settled(side);
}

/** RSS every ten seconds of ten minutes; each stream lasts two of them, and another follows. */
export async function soak(bench: Bench): Promise<Outcome> {
  const { tools, told, folder, quick } = bench;
  const outcome = emptyOutcome();
  const streams = quick ? FEW : streamsMost(outcome.remarks);
  const upstream = await startUpstream(tools, INTERVAL_MS);
  const place = { folder, upstreamPort: Number(upstream.line) };
  const side = (await sides.purser('purser')(place)) as sides.Side;
  try {
    await warm(bench, side);
    const request = writeRequest(tools, side, body(quick ? 10 : 120));
    const load = {
      port: side.port,
      request,
      opening: OPENING,
      sources: 8,
      connections: streams,
    };
    const open = await openStreams(tools, { ...load, seconds: 3600 }, 60_000);
    const samples = quick ? 3 : (SOAK_MINUTES * 60) / SOAK_SAMPLE_S;
    for (let sample = 1; sample <= samples; sample += 1) {
      const cpuBefore = side.cpuUs();
      await sleep(SOAK_SAMPLE_S * (quick ? 100 : 1000));
      const row = {
        ...{
          variant: 'purser',
          seconds: sample * SOAK_SAMPLE_S,
          'RSS MB': side.rssBytes() / 2 ** 20,
        },
        'CPU %': (side.cpuUs() - cpuBefore) / SOAK_SAMPLE_S / (quick ? 1000 : 10_000),
        'calls live': (await side.metric('purser_live_calls')) ?? '-',
      };
      outcome.rounds.push(row);
      told(`soak, ${row.seconds} s: ${row['RSS MB'].toFixed(0)} MB, ${row['calls live']} streams`);
    }
    soaked(outcome, await open.end());
    return outcome;
  } finally {
    await side.stop();
    await upstream.stop();
  }
}

function soaked(outcome: Outcome, load: Load): void {
  if (load.failures > 0) outcome.failures.push(`${load.failures} streams failed`);
  const rss = outcome.rounds.map((row) => Number(row['RSS MB']));
  const minute = Math.max(1, Math.floor(rss.length / SOAK_MINUTES));
  const [first, last] = [median(rss.slice(0, minute)), median(rss.slice(-minute))];
  outcome.figures['soak.growth'] = last / first;
  outcome.table = [
    {
      ...{ variant: 'purser', 'first minute, MB': first, 'last minute, MB': last },
      ...{ 'most, MB': Math.max(...rss), streams: load.streams, failures: load.failures },
      ...{ 'delay p50 µs': load.delayP50Us, 'delay p99 µs': load.delayP99Us },
    },
  ];
}
