// Gateways under load are killed with -9 at random points, and now and then once more while they
// start. Each is followed by one on the same data directory, and in the end every call must be in
// the rows once, at a price that what passed explains.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type GatewayHome,
  type GatewayProcess,
  openGatewayHome,
  TEST_LEASE,
} from '../support/gateway-process.js';
import {
  openScriptedUpstream,
  type ScriptedUpstream,
  type UpstreamEvent,
} from '../support/scripted-upstream.js';
import { type Seeded, seeded } from '../support/seeded.js';
import { readRows, readSpent, untilNoHolds } from './books-of-home.js';
import { type Asked, ask, type Kind, nanoUsd, nowMs, streamKind, wholeKind } from './calls.js';
import { homeOptions } from './home.js';
import {
  type Evidence,
  exchangesOf,
  leastNanoUsd,
  type Spent,
  violationsOf,
  wordsWritten,
} from './kill-checks.js';
import { feelPulse, type Stall } from './pulse.js';
import type { Figure, TrialOptions, TrialResult } from './trial.js';

const KINDS: readonly Kind[] = [
  streamKind('quick', 5, {}),
  streamKind('paced', 25, { paceMs: 20 }),
  streamKind('silent', 25, { paceMs: 20 }, false),
  streamKind('long', 400, { paceMs: 10 }),
  streamKind('late', 10, { firstByteMs: 600, paceMs: 20 }),
  wholeKind('whole', 20, 100),
  wholeKind('whole-late', 60, 700),
];
const CLIENTS = 12;
const KILL_AFTER_MS = { least: 150, most: 2_500 };
/** One in so many is killed again while it starts. */
const KILL_STARTS = 5;
/** So many kills meet every case, or show nothing. */
const TRIED_FROM = 20;
const { lease_ms: LEASE_MS, reap_ms: TICK_MS, beat_ms: BEAT_MS } = TEST_LEASE;
const HOLDS_GONE_MS = LEASE_MS + TICK_MS + 1_000;

export interface KillsOptions extends TrialOptions {
  /** A migrated PGlite directory to begin with. */
  image?: Uint8Array;
}

interface Noted {
  spent: Spent[];
  killedAtMs: Map<number, number>;
  stalls: Map<number, Stall[]>;
}

interface Run {
  home: GatewayHome;
  upstream: ScriptedUpstream;
  random: Seeded;
  asked: Asked[];
  evidence: Evidence & Noted;
  startsKilled: number;
  restartsMs: number[];
  holdsGoneMs: number[];
  errors: string[];
}

export async function runKills(options: KillsOptions): Promise<TrialResult> {
  const log: UpstreamEvent[] = [];
  const upstream = await openScriptedUpstream((event) => log.push(event));
  for (const { model, plan } of KINDS) upstream.forModel(model, plan);
  const home = await openGatewayHome(homeOptions(upstream, KINDS, options.image));
  const asked: Asked[] = [];
  const noted: Noted = { spent: [], killedAtMs: new Map(), stalls: new Map() };
  const evidence = { asked, upstream: log, rows: [], beatMs: BEAT_MS, ...noted };
  const random = seeded(options.seed);
  const counts = { startsKilled: 0, restartsMs: [], holdsGoneMs: [], errors: [] };
  const run: Run = { home, upstream, random, asked, evidence, ...counts };
  try {
    let gateway = await home.start();
    for (let round = 1; round <= options.count; round += 1) {
      await killUnderLoad(run, gateway, round);
      gateway = await restart(run, round);
      options.onProgress?.(round);
    }
    await calmRound(run, gateway, options.count + 1);
    await gateway.stop();
    run.errors.push(...errorsOf(gateway));
    return resultOf(run, { ...evidence, rows: await readRows(home) });
  } finally {
    await home.remove();
    await upstream.close();
  }
}

async function killUnderLoad(run: Run, gateway: GatewayProcess, round: number): Promise<void> {
  const state = { stopped: false };
  const pulse = feelPulse(gateway.url, join(run.home.folder, 'pulse'));
  const clients = Array.from({ length: CLIENTS }, (_, client) =>
    ofClient(run, gateway, { round, client }, state),
  );
  await sleep(between(run.random, KILL_AFTER_MS.least, KILL_AFTER_MS.most));
  run.evidence.killedAtMs.set(round, nowMs());
  await gateway.kill();
  state.stopped = true;
  await Promise.all(clients);
  run.evidence.stalls.set(round, await pulse.stalls);
  run.errors.push(...errorsOf(gateway));
}

async function ofClient(
  run: Run,
  gateway: GatewayProcess,
  who: { round: number; client: number },
  state: { stopped: boolean },
): Promise<void> {
  const { random } = run;
  for (let number = 1; !state.stopped; number += 1) {
    const asked = await ask({
      ...{ url: gateway.url, key: gateway.key, round: who.round, kind: random.pick(KINDS) },
      requestId: `r${who.round}-c${who.client}-${number}`,
      ...(random.below(5) === 0 && { leaveAfterMs: random.below(500) }),
    });
    if (!asked) return;
    run.asked.push(asked);
    await sleep(random.below(40));
  }
}

async function restart(run: Run, round: number): Promise<GatewayProcess> {
  const { home, random } = run;
  if (random.below(KILL_STARTS) === 0) {
    const launched = home.launch();
    await sleep(random.below(1_500));
    await launched.kill();
    run.startsKilled += 1;
  }
  const startedAtMs = nowMs();
  const gateway = await home.start();
  run.restartsMs.push(nowMs() - startedAtMs);
  run.holdsGoneMs.push(await untilNoHolds(gateway, HOLDS_GONE_MS));
  run.evidence.spent.push(await readSpent(gateway, round));
  return gateway;
}

/** One call of each kind that nobody disturbs: the gateway that was killed so often still works. */
async function calmRound(run: Run, gateway: GatewayProcess, round: number): Promise<void> {
  const { url, key } = gateway;
  const calls = await Promise.all(
    KINDS.map((kind, i) => ask({ url, key, round, kind, requestId: `calm-${i}` })),
  );
  run.asked.push(...calls.filter((asked) => asked !== undefined));
  run.holdsGoneMs.push(await untilNoHolds(gateway, HOLDS_GONE_MS));
  run.evidence.spent.push(await readSpent(gateway, round));
}

function errorsOf(gateway: GatewayProcess): string[] {
  return gateway.log.filter(({ level }) => level >= 50).map((line) => JSON.stringify(line));
}

function resultOf(run: Run, evidence: Evidence): TrialResult {
  const figures = figuresOf(run, evidence);
  const untried = run.evidence.killedAtMs.size >= TRIED_FROM && reapedAndHeld(evidence) === 0;
  const unfinished = evidence.asked.filter(({ requestId }) => requestId.startsWith('calm-'));
  return {
    figures,
    violations: [
      ...violationsOf(evidence),
      ...unfinished.filter((asked) => !asked.sawLastByte).map((a) => `${a.requestId}: no end`),
      ...(untried ? ['the lower bound was never tried: the machine stood still too often'] : []),
      ...run.errors.map((line) => `logged: ${line}`),
    ],
  };
}

function figuresOf(run: Run, evidence: Evidence): Figure[] {
  const { asked, rows, killedAtMs } = evidence;
  const count = (is: (asked: Asked) => boolean) => asked.filter(is).length;
  const cut = (one: Asked) => !one.sawLastByte && one.leftAtMs === undefined;
  return [
    ['kill -9 under load', killedAtMs.size],
    ['kill -9 while starting', run.startsKilled],
    ['calls', asked.length],
    ['ended for their client', count((one) => one.sawLastByte)],
    ['left by their client', count((one) => one.leftAtMs !== undefined)],
    ['cut by a kill, bytes had reached the client', count((one) => cut(one) && one.bytes > 0)],
    ['cut by a kill before', count((one) => cut(one) && one.bytes === 0)],
    ['requests that the upstream received', exchangesOf(evidence.upstream).size],
    ['rows', rows.length],
    ['rows of reaped calls', rows.filter(({ outcome }) => outcome === 'reaped').length],
    ['reaped and held to more than their prompt', reapedAndHeld(evidence)],
    ['written by the upstream and not charged, most of a call', missedMost(evidence)],
    ['longest stall of a gateway under load, ms', longestStall(evidence)],
    ['slowest restart, ms', Math.round(Math.max(0, ...run.restartsMs))],
    ['holds gone after a restart, slowest, ms', Math.round(Math.max(0, ...run.holdsGoneMs))],
  ];
}

/** So many rows the lower bound could have caught: without them it says nothing. */
function reapedAndHeld(evidence: Evidence): number {
  const exchanges = exchangesOf(evidence.upstream);
  const reaped = evidence.rows.filter(({ outcome }) => outcome === 'reaped');
  const ids = new Set(reaped.map(({ requestId }) => requestId));
  return evidence.asked.filter((one) => {
    const exchange = exchanges.get(one.requestId);
    if (!exchange || !ids.has(one.requestId)) return false;
    return leastNanoUsd(one, exchange, evidence) > nanoUsd(0);
  }).length;
}

/** Tokens of the call that lost most, of those that have a row. */
function missedMost(evidence: Evidence): string {
  const exchanges = exchangesOf(evidence.upstream);
  const costs = new Map(evidence.rows.map((row) => [row.requestId, row.costNanoUsd]));
  let most = 0;
  for (const one of evidence.asked) {
    const cost = costs.get(one.requestId);
    const exchange = exchanges.get(one.requestId);
    const killed = evidence.killedAtMs.get(one.round);
    if (cost === undefined || !exchange || killed === undefined || !one.kind.stream) continue;
    const written = wordsWritten(one, exchange, Math.min(killed, one.leftAtMs ?? killed));
    most = Math.max(most, written - (cost - nanoUsd(0)) / (nanoUsd(1) - nanoUsd(0)));
  }
  return `${most} tokens`;
}

function longestStall({ stalls, killedAtMs }: Evidence): number {
  const all = [...stalls].flatMap(([round, ones]) =>
    ones.map(({ fromMs, toMs }) => Math.min(toMs, killedAtMs.get(round) ?? toMs) - fromMs),
  );
  return Math.round(Math.max(0, ...all));
}

function between(random: Seeded, least: number, most: number): number {
  return least + random.below(most - least);
}
