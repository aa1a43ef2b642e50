// What runs beside the calls: beats, reaping, draining into SQL, reconciling, partitions, limits.
// Before any of it the ledger is made whole from what SQL and the spool have.

import { type CustodyParts, composeCustody } from './compose-custody.js';
import { logOptions } from './compose-spool.js';
import type { Config } from './config.js';
import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import type { Database } from './drivers/database.js';
import type { Metrics } from './drivers/metrics.js';
import { postWebhook } from './drivers/webhook.js';
import { createLiveCalls, type LiveCalls } from './flows/call/live-calls.js';
import { createBeat } from './flows/upkeep/beat.js';
import { createCloser } from './flows/upkeep/close.js';
import { createDelivery } from './flows/upkeep/deliver.js';
import { createReaper } from './flows/upkeep/reap.js';
import { createReconciler } from './flows/upkeep/reconcile.js';
import { repeat } from './flows/upkeep/repeat.js';
import { createRetention } from './flows/upkeep/retention.js';
import { createLimitSync } from './flows/upkeep/sync-limits.js';
import { tellDrift } from './flows/upkeep/tell-drift.js';
import { createTurn, type Turn } from './flows/upkeep/turn.js';
import { watchedEnvelope } from './rules/budget/watched.js';
import { createBudgetPeriods } from './stores/budget-periods.js';
import { openDeadEvents } from './stores/dead-events.js';
import type { Directory } from './stores/directory.js';
import { createNoticeQueue } from './stores/notices.js';
import { AttributionBook } from './stores/usage/attribution.js';
import { createRecorder } from './stores/usage/recorder.js';
import { createUsageStore } from './stores/usage/usage.js';

export interface UpkeepParts extends Omit<CustodyParts, 'usage' | 'recorder' | 'holds'> {
  config: Config;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  database: Database;
  directory: Directory;
}

const MINUTE_MS = 60_000;
const ATTRIBUTION_ENTRIES_MAX = 50_000;

export async function composeUpkeep(parts: UpkeepParts) {
  const { config, clock, log, database, directory, owner } = parts;
  const { ledger } = parts.opened;
  const dead = await openDeadEvents(await logOptions(config, 'dead', clock, log));
  const usage = createUsageStore(database);
  await usage.makePartitions(ledger.nowMs(), 2);
  const recorder = recorderOf(parts, dead);
  const { leaseMs, beatMs, reapMs } = config.ledger;
  const beat = createBeat({ ledger, spool: parts.spool, clock, log, owner, beatMs, leaseMs });
  const callMsMax = config.timeouts.requestMs;
  const live = createLiveCalls({ beats: beat, clock, callMsMax });
  const custody = await composeCustody({ ...parts, usage, recorder, holds: () => live.holds() });
  directory.onChange((snapshot) => live.endRevoked(snapshot));
  const turn = turns(parts);
  const reconciler = createReconciler({
    ...{ ledger, usage, clock, log, ...RECONCILE, turn: turn('reconcile', RECONCILE.everyMs) },
    waiting: () => custody.waiting(),
    tell: tellDrift({ ...parts, ledger }),
  });
  const reaped = { ledger, spool: custody.reaperSpool, clock, log, tickMs: reapMs };
  const limits = { ledger, clock, log, everyMs: MINUTE_MS, ...directory };
  const repeated = [
    beat,
    overdueOf(live, parts),
    createReaper({ ...reaped, turn: turn('reap', reapMs) }),
    reconciler,
    createRetention({ usage, clock, log, ...RETENTION }),
    createLimitSync({ ...limits, turn: turn('limits', MINUTE_MS) }),
    deliveryOf(parts),
    closerOf(parts, turn('close', CLOSE_MS)),
  ];
  const { drain, waiting } = custody;
  gauges(parts, { calls: () => beat.size(), drift: () => reconciler.drift(), waiting }, drain);
  return {
    live,
    start: () => {
      for (const one of repeated) one.start();
    },
    endAll: (reason: string) => live.endAll(reason),
    drained: () => custody.drained(),
    ready: () => custody.ready(),
    async close(): Promise<void> {
      for (const one of repeated) await one.stop();
      await custody.close();
      await dead.close();
    },
  };
}

// One look at all calls now and then: a timer each would cost more than registering them does.
function overdueOf(live: LiveCalls, { config, clock, log }: UpkeepParts) {
  const everyMs = Math.min(OVERDUE_MS_MAX, Math.ceil(config.timeouts.requestMs / 8));
  const options = { clock, log, everyMs, name: 'the look for calls that take too long' };
  return repeat(options, async () => live.endOverdue());
}

const OVERDUE_MS_MAX = 1_000;

// With Redis any number of gateways run the same workers: each round is one gateway's.
function turns({ opened }: UpkeepParts) {
  const leases = opened.redis?.leases;
  return (name: string, everyMs: number): Turn | undefined =>
    leases && createTurn(leases, name, Math.ceil(everyMs * TURN_SHARE));
}

const TURN_SHARE = 0.9;
const RECONCILE = { everyMs: 10_000, windowMs: 10 * MINUTE_MS, totalsMax: 10_000 };
const RETENTION = {
  everyMs: 6 * 60 * MINUTE_MS,
  monthsAhead: 2,
  usageMonthsKept: null,
  turnsKeptMs: null,
  rateTotalsKeptMs: 2 * 24 * 60 * MINUTE_MS,
  batchMax: 5_000,
  batchesMax: 100,
};

function gauges(
  { metrics, opened, spool }: UpkeepParts,
  figures: { calls(): number; drift(): number; waiting(): Promise<number> },
  drain: { state(): { setAside: number } },
): void {
  metrics.gauge('purser_live_calls', 'Calls under way in this process.', figures.calls);
  metrics.gauge('purser_drift', 'Counters that differ from their rows.', figures.drift);
  metrics.gauge('purser_events_waiting', 'Events booked that are not rows yet.', figures.waiting);
  metrics.gauge('purser_spool_pending_events', 'Events that are not known to be rows.', () => {
    return spool.state().pendingEvents;
  });
  metrics.gauge('purser_events_set_aside', 'Events that SQL would not take.', () => {
    return drain.state().setAside;
  });
  metrics.gauge('purser_reservations_held', 'Reservations that have not ended.', async () => {
    return (await opened.ledger.state()).held;
  });
}

function deliveryOf({ config, database, clock, log }: UpkeepParts) {
  return createDelivery({
    queue: createNoticeQueue(database),
    destinations: config.notices,
    post: postWebhook,
    clock,
    log,
    everyMs: DELIVER_MS,
  });
}

const DELIVER_MS = 1_000;

function closerOf({ database, directory, opened, clock, log }: UpkeepParts, turn?: Turn) {
  return createCloser({
    periods: createBudgetPeriods(database),
    ledger: opened.ledger,
    snapshot: directory.snapshot,
    clock,
    log,
    everyMs: CLOSE_MS,
    turn,
  });
}

const CLOSE_MS = 30_000;

function recorderOf(
  { database, directory, clock, log }: UpkeepParts,
  dead: Awaited<ReturnType<typeof openDeadEvents>>,
) {
  const entriesMax = ATTRIBUTION_ENTRIES_MAX;
  const book = new AttributionBook({ clock, entriesMax, keptMs: MINUTE_MS });
  return createRecorder({
    database,
    book,
    watch: (id) => watchedEnvelope(id, directory.snapshot(), clock.nowMs()),
    clock,
    retryMs: 1_000,
    setAside(event, reason) {
      log.error({ id: event.id, reason }, 'an event was set aside: SQL takes it not');
      return dead.put(event, reason);
    },
  });
}
