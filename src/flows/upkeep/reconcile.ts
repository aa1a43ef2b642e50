// Holds what the ledger says against what it should say: reserved against the open holds,
// committed against the rows' totals. What differs is told as drift and never mended in silence.
// The mirror of what is reserved is brought up to date on the way.

import type { Unit } from '../../core/amount.js';
import type { Clock } from '../../core/clock.js';
import type { Balance } from '../../core/envelope.js';
import type { Log } from '../../core/log.js';
import type { Ledger } from '../../stores/ledger/ledger.js';
import type { UsageStore } from '../../stores/usage/usage.js';
import { type Repeated, repeat } from './repeat.js';
import type { Turn } from './turn.js';

export interface ReconcileOptions {
  ledger: Ledger;
  usage: UsageStore;
  /** How many events are not rows yet. */
  waiting(): Promise<number>;
  clock: Clock;
  log: Log;
  everyMs: number;
  /** Where several gateways run it: whose turn it is. */
  turn?: Turn | undefined;
  /** Totals that moved within this time are compared, the newest first. */
  windowMs: number;
  totalsMax: number;
  /** Told of a drift that two rounds have seen; telling it again does no harm. */
  tell(drift: Drift): Promise<void>;
}

export interface Drift {
  envelope: string;
  label: string;
  unit: Unit;
  counter: 'committed' | 'reserved';
  /** What the ledger has. */
  ledger: number;
  /** What rows or holds say. */
  expected: number;
}

export interface Reconciliation {
  drifts: Drift[];
  /** False: calls went on meanwhile, so that side could not be compared this time. */
  comparedHolds: boolean;
  comparedTotals: boolean;
}

export interface Reconciler extends Repeated {
  round(): Promise<Reconciliation>;
  /** How many counters were off when they could last be compared: the gauge. */
  drift(): number;
}

const HOLDS_PAGE = 1000;
const CALM_TRIES = 3;

export function createReconciler(options: ReconcileOptions): Reconciler {
  const { clock, log, everyMs, turn } = options;
  const last = { committed: 0, reserved: 0 };
  let before = new Set<string>();
  const round = async (): Promise<Reconciliation> => {
    await mirror(options);
    const holds = await calmly(options.ledger, () => holdDrifts(options));
    const totals = await calmly(options.ledger, () => totalDrifts(options));
    if (holds) last.reserved = holds.length;
    if (totals) last.committed = totals.length;
    const drifts = [...(holds ?? []), ...(totals ?? [])];
    for (const drift of drifts) {
      log.error({ ...drift }, 'the ledger drifts from the record');
      if (before.has(keyOf(drift))) await options.tell(drift);
    }
    before = new Set(drifts.map(keyOf));
    return { drifts, comparedHolds: !!holds, comparedTotals: !!totals };
  };
  return {
    round,
    drift: () => last.committed + last.reserved,
    ...repeat({ clock, log, everyMs, name: 'reconcile', turn }, round),
  };
}

function keyOf({ counter, envelope, label }: Drift): string {
  return `${counter} ${envelope} ${label}`;
}

async function mirror({ ledger, usage }: ReconcileOptions): Promise<void> {
  const agents = await usage.budgetAgents();
  if (agents.length === 0) return;
  const balances = await ledger.balances(
    agents.map((id) => ({ envelope: `tokens:${id}`, label: 'ever', unit: 'tokens' })),
  );
  await usage.mirrorReserved(
    agents.map((agentId, i) => ({ agentId, tokens: balances[i]?.reserved ?? 0 })),
  );
}

// The ledger is read in several steps: they belong together only if nothing moved between them.
async function calmly<T>(
  ledger: Ledger,
  compare: () => Promise<T | undefined>,
): Promise<T | undefined> {
  for (let tries = 0; tries < CALM_TRIES; tries += 1) {
    const before = await ledger.state();
    const result = await compare();
    const after = await ledger.state();
    if (before.seq === after.seq && before.epoch === after.epoch) return result;
  }
  return undefined;
}

// Also where nothing is held any more: there a counter that still has something is off, too.
async function holdDrifts(options: ReconcileOptions): Promise<Drift[]> {
  const { ledger } = options;
  const sums = new Map<string, { envelope: string; label: string; unit: Unit; sum: number }>();
  for (let offset = 0; ; offset += HOLDS_PAGE) {
    const { holds } = await ledger.holds({ offset, limit: HOLDS_PAGE });
    for (const { envelope, label, unit, amount } of holds.flatMap((hold) => hold.lines)) {
      const key = `${envelope}\n${label}`;
      const sum = (sums.get(key)?.sum ?? 0) + amount;
      sums.set(key, { envelope, label, unit, sum });
    }
    if (holds.length < HOLDS_PAGE) break;
  }
  for (const { envelope, label, unit } of await moved(options)) {
    const key = `${envelope}\n${label}`;
    if (!sums.has(key)) sums.set(key, { envelope, label, unit, sum: 0 });
  }
  const expected = [...sums.values()];
  const balances = await ledger.balances(expected);
  return expected.flatMap((line, i) => driftOf(balances[i], 'reserved', line.sum));
}

/** Undefined while events wait: the rows cannot say it all yet. */
async function totalDrifts(options: ReconcileOptions): Promise<Drift[] | undefined> {
  const { ledger, waiting } = options;
  if ((await waiting()) > 0) return undefined;
  const totals = await moved(options);
  const balances = await ledger.balances(totals);
  return totals.flatMap(({ committed }, i) => driftOf(balances[i], 'committed', committed));
}

function moved({ usage, clock, windowMs, totalsMax }: ReconcileOptions) {
  return usage.movedTotals(clock.nowMs() - windowMs, totalsMax);
}

function driftOf(
  balance: Balance | undefined,
  counter: Drift['counter'],
  expected: number,
): Drift[] {
  if (!balance || balance[counter] === expected) return [];
  const { envelope, label, unit } = balance;
  return [{ envelope, label, unit, counter, ledger: balance[counter], expected }];
}
