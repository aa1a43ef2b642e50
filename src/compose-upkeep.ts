// What runs beside the calls: beats, reaping, draining into SQL, reconciling, partitions. Before
// any of it the ledger is rebuilt from what the last run left.

import { logOptions } from './compose-spool.js';
import type { Config } from './config.js';
import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import type { Database } from './drivers/database.js';
import type { Metrics } from './drivers/metrics.js';
import type { Readiness } from './edges/http/health.js';
import { createLiveCalls } from './flows/call/live-calls.js';
import { createBeat } from './flows/upkeep/beat.js';
import { createDrain } from './flows/upkeep/drain.js';
import { createReaper } from './flows/upkeep/reap.js';
import { rebuildLedger } from './flows/upkeep/rebuild.js';
import { createReconciler } from './flows/upkeep/reconcile.js';
import { createRetention } from './flows/upkeep/retention.js';
import { openDeadEvents } from './stores/dead-events.js';
import type { Directory } from './stores/directory.js';
import type { Ledger } from './stores/ledger/ledger.js';
import type { SpoolLog } from './stores/spool-log.js';
import { AttributionBook } from './stores/usage/attribution.js';
import { createRecorder } from './stores/usage/recorder.js';
import { createUsageStore } from './stores/usage/usage.js';

export interface UpkeepParts {
  config: Config;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  database: Database;
  directory: Directory;
  spool: SpoolLog;
  ledger: Ledger;
  owner: string;
}

const BATCH_MAX = 500;
const MINUTE_MS = 60_000;
const ATTRIBUTION_ENTRIES_MAX = 50_000;

export async function composeUpkeep(parts: UpkeepParts) {
  const { config, clock, log, metrics, database, directory, spool, ledger, owner } = parts;
  const dead = await openDeadEvents(await logOptions(config, 'dead', clock, log));
  const usage = createUsageStore(database);
  await usage.makePartitions(ledger.nowMs(), 2);
  const drain = createDrain({ ...drainOptions(parts), recorder: recorderOf(parts, dead) });
  await rebuildLedger({ spool, drain, usage, ledger, log, rateKeptMs: 2 * 60 * MINUTE_MS });
  const { leaseMs, beatMs, reapMs } = config.ledger;
  const base = { ledger, spool, clock, log };
  const beat = createBeat({ ...base, owner, beatMs, leaseMs });
  const live = createLiveCalls(beat);
  directory.onChange((snapshot) => live.endRevoked(snapshot));
  const reaper = createReaper({ ...base, tickMs: reapMs });
  const reconciler = createReconciler({ ...base, usage, drain, ...RECONCILE });
  const retention = createRetention({ usage, clock, log, ...RETENTION });
  const repeated = [beat, reaper, reconciler, retention];
  metrics.gauge('purser_live_calls', 'Calls under way in this process.', () => beat.size());
  metrics.gauge('purser_drift', 'Counters that differ from their rows.', () => reconciler.drift());
  metrics.gauge('purser_spool_pending_events', 'Events that are not yet rows.', () => {
    return drain.state().pendingEvents;
  });
  metrics.gauge('purser_reservations_held', 'Reservations that have not ended.', async () => {
    return (await ledger.state()).held;
  });
  return {
    live,
    start: () => {
      for (const one of repeated) one.start();
    },
    endAll: (reason: string) => live.endAll(reason),
    drained: () => drain.idle(),
    ready: () => readiness(ledger, drain),
    async close(): Promise<void> {
      for (const one of repeated) await one.stop();
      await Promise.race([drain.idle(), later(clock, DRAIN_WAIT_MS)]);
      await drain.stop();
      await dead.close();
    },
  };
}

// What is not drained by then stays in the spool, and the next start drains it.
const DRAIN_WAIT_MS = 5_000;

const RECONCILE = { everyMs: 10_000, windowMs: 10 * MINUTE_MS, totalsMax: 10_000 };
const RETENTION = {
  everyMs: 6 * 60 * MINUTE_MS,
  monthsAhead: 2,
  usageMonthsKept: null,
  turnsKeptMs: null,
  turnsBatch: 5_000,
  turnsBatchesMax: 100,
};

function drainOptions({ spool, clock, log }: UpkeepParts) {
  return { spool, clock, log, batchMax: BATCH_MAX, retryMinMs: 100, retryMaxMs: 10_000 };
}

function recorderOf(
  { database, clock, log }: UpkeepParts,
  dead: Awaited<ReturnType<typeof openDeadEvents>>,
) {
  const book = new AttributionBook({
    clock,
    entriesMax: ATTRIBUTION_ENTRIES_MAX,
    keptMs: MINUTE_MS,
  });
  return createRecorder({
    database,
    book,
    clock,
    retryMs: 1_000,
    setAside(event, reason) {
      log.error({ id: event.id, reason }, 'an event was set aside: SQL takes it not');
      return dead.put(event, reason);
    },
  });
}

async function readiness(
  ledger: Ledger,
  drain: ReturnType<typeof createDrain>,
): Promise<Readiness> {
  const { open } = await ledger.state();
  const { failures, lastError } = drain.state();
  return {
    ok: open,
    checks: {
      ledger: open ? 'ok' : 'closed: it is being rebuilt',
      // Calls go on while SQL is away: their events wait in the spool.
      database: failures === 0 ? 'ok' : `away: ${lastError ?? 'no answer'}`,
    },
  };
}

function later(clock: Clock, afterMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(afterMs, resolve);
  });
}
