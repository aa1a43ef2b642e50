// How events come into SQL, and how the ledger is made whole at start. Embedded: the spool is
// drained, and the ledger rebuilt from the totals before a door opens. With Redis: the outbox is
// drained by one gateway, each spool is a second custodian, and a lost ledger is rebuilt by all.

import { hostname } from 'node:os';
import type { OpenLedger } from './compose-ledger.js';
import type { Config } from './config.js';
import type { Clock } from './core/clock.js';
import type { Log } from './core/log.js';
import type { Database } from './drivers/database.js';
import { createFailpoints } from './drivers/failpoints.js';
import { loopShare } from './drivers/loop-share.js';
import type { Readiness } from './edges/http/health.js';
import { createCustody } from './flows/upkeep/custody.js';
import { createDrain, type Drain } from './flows/upkeep/drain.js';
import { reapedEvent } from './flows/upkeep/orphan.js';
import { createOutboxSource } from './flows/upkeep/outbox-source.js';
import { rebuildLedger } from './flows/upkeep/rebuild.js';
import { createRebuilder } from './flows/upkeep/rebuild-redis.js';
import { createGateways } from './stores/gateways.js';
import { LedgerUnavailable, type OpenHold } from './stores/ledger/ledger.js';
import type { DrainSource, Spool } from './stores/spool.js';
import type { SpoolLog } from './stores/spool-log.js';
import type { Recorder } from './stores/usage/recorder.js';
import type { UsageStore } from './stores/usage/usage.js';

export interface CustodyParts {
  config: Config;
  clock: Clock;
  log: Log;
  database: Database;
  spool: SpoolLog;
  opened: OpenLedger;
  owner: string;
  usage: UsageStore;
  recorder: Recorder;
  holds(): readonly OpenHold[];
}

export interface OpenCustody {
  drain: Drain;
  /** Where the reaper writes what it booked. */
  reaperSpool: Spool;
  drained(): Promise<void>;
  /** Events that the ledger has booked and that are not rows yet. */
  waiting(): Promise<number>;
  ready(): Promise<Readiness>;
  close(): Promise<void>;
}

const BATCH_MAX = 500;
// While the loop is busy 2,000 rows a second still go out.
const PACE = { lingerMs: 200, busyEveryMs: 250, backlogBytesMax: 256 * 1024 * 1024 };
const BUSY_SHARE = 0.9;
const RATE_KEPT_MS = 2 * 3_600_000;
const DRAIN_WAIT_MS = 5_000;
const POLL_MS = 100;
const WORKER_LEASE_MS = 5_000;
const LOOK_MS = 500;
const OPEN_WITHIN_MS = 60_000;

export function composeCustody(parts: CustodyParts): Promise<OpenCustody> {
  return parts.opened.redis ? besideRedis(parts, parts.opened.redis) : embedded(parts);
}

async function embedded(parts: CustodyParts): Promise<OpenCustody> {
  const { spool, usage, log, clock, opened } = parts;
  const { ledger } = opened;
  const drain = drainOf(parts, spool);
  await rebuildLedger({ spool, drain, usage, ledger, log, rateKeptMs: RATE_KEPT_MS });
  return {
    drain,
    reaperSpool: spool,
    drained: () => drain.idle(),
    waiting: async () => drain.state().pendingEvents,
    ready: () => readiness(parts, drain),
    async close() {
      // What is not drained by then stays in the spool, and the next start drains it.
      await Promise.race([drain.idle(), later(clock, DRAIN_WAIT_MS)]);
      await drain.stop();
    },
  };
}

async function besideRedis(
  parts: CustodyParts,
  redis: NonNullable<OpenLedger['redis']>,
): Promise<OpenCustody> {
  const { spool, usage, clock, log, config, database, owner, recorder, holds } = parts;
  const { ledger, outbox, leases } = redis;
  const gateways = createGateways(database);
  const source = createOutboxSource({
    outbox,
    leases,
    clock,
    pollMs: POLL_MS,
    leaseMs: WORKER_LEASE_MS,
    sealedEpoch: () => usage.sealedEpoch(),
    onTrouble: (error) => log.warn({ err: error }, 'the outbox could not be reached'),
  });
  const drain = drainOf(parts, source);
  const outboxDepth = async () => (await outbox.depth()).events;
  // Several looks a lease, or the others would take this gateway for gone in a rebuild.
  const everyMs = Math.min(LOOK_MS, config.ledger.leaseMs / 5);
  const base = { ledger, usage, clock, log, everyMs };
  const rebuilder = createRebuilder({
    ...base,
    ...{ gateways, spool, recorder, outboxDepth, holds, owner, host: hostname() },
    leaseMs: config.ledger.leaseMs,
    rateKeptMs: RATE_KEPT_MS,
  });
  const formerEvents = spool.recover().replayedEvents;
  const custody = createCustody({ ...base, spool, formerEvents });
  drain.start();
  // Calls that the last run of this gateway left: booked at what was seen, by the custody.
  for (const orphan of spool.recover().orphans) {
    const event = reapedEvent(orphan, 0, ledger.nowMs());
    await spool.ended({ ...event, unbooked: true }, 'written');
  }
  await untilOpen(parts, () => rebuilder.look());
  rebuilder.start();
  custody.start();
  const empty = async () => (await outboxDepth()) === 0 && spool.state().pendingEvents === 0;
  const drained = async (): Promise<void> => {
    while (!(await empty())) {
      await custody.round();
      await later(clock, POLL_MS);
    }
  };
  return {
    drain,
    reaperSpool: keptElsewhere(spool),
    drained,
    waiting: outboxDepth,
    ready: () => readiness(parts, drain),
    async close() {
      await Promise.race([drained().catch(() => {}), later(clock, DRAIN_WAIT_MS)]);
      await custody.stop();
      await rebuilder.stop();
      await drain.stop();
      await source.close();
      await gateways.gone(owner);
    },
  };
}

// Who reaps another gateway's call did not have it in its spool: the outbox has the event.
function keptElsewhere(spool: SpoolLog): Spool {
  return {
    sent: (record) => spool.sent(record),
    seen: (spends) => spool.seen(spends),
    ended: async () => {},
    released: (id) => spool.released(id),
    state: () => spool.state(),
    close: async () => {},
  };
}

async function untilOpen(
  { opened, clock, log }: CustodyParts,
  look: () => Promise<void>,
): Promise<void> {
  const untilMs = clock.elapsedMs() + OPEN_WITHIN_MS;
  const isOpen = async (): Promise<boolean> => {
    await look();
    return (await opened.ledger.state()).open;
  };
  while (clock.elapsedMs() < untilMs) {
    // A Redis that is slow for a moment is no reason not to start.
    const open = await isOpen().catch((error: unknown) => {
      if (!(error instanceof LedgerUnavailable)) throw error;
      log.warn({ reason: error.message }, 'the ledger could not be looked at');
      return false;
    });
    if (open) return;
    await later(clock, POLL_MS);
  }
  // It goes on looking while the door is open: /readyz says 503 and calls are refused.
  log.error({}, 'the ledger is still closed; another gateway may be rebuilding it');
}

function drainOf({ config, recorder, clock, log }: CustodyParts, spool: DrainSource): Drain {
  const failpoint = createFailpoints(config.crashAt ?? undefined);
  const share = loopShare();
  const pace = { ...PACE, isBusy: () => share() > BUSY_SHARE };
  const limits = { batchMax: BATCH_MAX, retryMinMs: 100, retryMaxMs: 2_000 };
  return createDrain({ spool, recorder, clock, log, failpoint, pace, ...limits });
}

async function readiness({ opened }: CustodyParts, drain: Drain): Promise<Readiness> {
  const open = await opened.ledger.state().then(
    (state) => state.open,
    () => undefined,
  );
  const { failures, lastError } = drain.state();
  const ledger = open ? 'ok' : open === false ? 'closed: it is being rebuilt' : 'no answer';
  // Calls go on while SQL is away: their events wait in the spool.
  const database = failures === 0 ? 'ok' : `away: ${lastError ?? 'no answer'}`;
  return { ok: open === true, checks: { ledger, database } };
}

function later(clock: Clock, afterMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(afterMs, resolve);
  });
}
