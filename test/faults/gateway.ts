// One gateway of the proof: the ledger behind a proxy of its own, a clock that is wrong by up to a
// day, and beside it what the product puts there: spool, custody, drain, rebuild, reaper, beat.

import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { composeCustody, type OpenCustody } from '#src/compose-custody.js';
import type { Config } from '#src/config.js';
import type { Amounts } from '#src/core/amount.js';
import type { Clock } from '#src/core/clock.js';
import type { Log } from '#src/core/log.js';
import { realClock } from '#src/drivers/clock.js';
import type { Database } from '#src/drivers/database.js';
import { openRedis } from '#src/drivers/redis.js';
import type { Scripts } from '#src/drivers/scripts.js';
import { createMarks, type Marks } from '#src/flows/call/marks.js';
import { createBeat } from '#src/flows/upkeep/beat.js';
import { createReaper } from '#src/flows/upkeep/reap.js';
import { createLeases } from '#src/stores/ledger/leases.js';
import type { OpenHold } from '#src/stores/ledger/ledger.js';
import { createOutbox } from '#src/stores/ledger/outbox.js';
import { createRedisLedger, type RedisLedger } from '#src/stores/ledger/redis-ledger.js';
import type { SpoolLog } from '#src/stores/spool-log.js';
import type { Recorder } from '#src/stores/usage/recorder.js';
import { createUsageStore } from '#src/stores/usage/usage.js';
import { openTestSpool } from '../support/upkeep.js';
import { testRecorder } from '../support/usage.js';
import type { WireProxy } from './proxy.js';

export const LEASE_MS = 200;
const BEAT_MS = 50;
const COMMAND_TIMEOUT_MS = 200;
const PROBE_MS = 20;

export interface Parts {
  number: number;
  proxy: WireProxy;
  scripts: Scripts;
  database: Database;
  folder: string;
  /** By how much its wall clock is wrong. */
  skewMs: number;
  log: Log;
  /** How long SQL takes before the next batch becomes rows. */
  slownessMs(): number;
}

export interface LiveHold extends OpenHold {
  seen: Amounts;
}

export interface Gateway {
  owner: string;
  ledger: RedisLedger;
  marks: Marks;
  spool: SpoolLog;
  proxy: WireProxy;
  custody: OpenCustody;
  /** Renews what lives, as the beat does. */
  open(hold: LiveHold): void;
  /** Its call ends: nobody beats for it from here on. */
  end(id: string): void;
  beat(): Promise<void>;
  sweep(): Promise<void>;
  /** Events that SQL would not take. */
  dead(): readonly unknown[];
  close(): Promise<void>;
}

export async function openGateway(parts: Parts): Promise<Gateway> {
  const { number, proxy, scripts, database, skewMs, log } = parts;
  const owner = `gateway-${number}`;
  const clock: Clock = { ...realClock, nowMs: () => realClock.nowMs() + skewMs };
  const redis = openRedis({
    ...{ urls: [proxy.url], clock, commandTimeoutMs: COMMAND_TIMEOUT_MS, probeEveryMs: PROBE_MS },
  });
  await redis.ready(10_000);
  const ledger = createRedisLedger({ redis, scripts, clock });
  const spool = await openTestSpool(join(parts.folder, owner), { clock });
  const live = new Map<string, LiveHold>();
  const opened = {
    ...{ ledger, described: 'on trial' },
    redis: {
      ...{ ledger, outbox: createOutbox(redis, ledger.keys) },
      leases: createLeases(redis, scripts, ledger.keys),
    },
    close: async () => {},
  };
  const { dead, ...quick } = testRecorder(database);
  const recorder: Recorder = {
    async record(...batch) {
      await wait(parts.slownessMs());
      return quick.record(...batch);
    },
  };
  const config = { ledger: { leaseMs: LEASE_MS }, crashAt: null } as unknown as Config;
  const usage = createUsageStore(database);
  const custody = await composeCustody({
    ...{ config, clock, log, database, spool, opened, owner, usage, recorder },
    holds: () =>
      [...live.values()].map((hold) => ({ ...hold, leaseEndsAtMs: ledger.nowMs() + LEASE_MS })),
  });
  const beat = createBeat({ ledger, spool, clock, log, owner, beatMs: BEAT_MS, leaseMs: LEASE_MS });
  const marks = createMarks({ ledger, log, owner, leaseMs: LEASE_MS });
  const endBeats = new Map<string, { leave(): void }>();
  const reaped = { ledger, spool: custody.reaperSpool, clock, log, tickMs: BEAT_MS };
  const reaper = createReaper(reaped);
  return {
    ...{ owner, ledger, marks, spool, proxy, custody },
    open(hold) {
      live.set(hold.id, hold);
      endBeats.get(hold.id)?.leave();
      const seen = () => hold.seen;
      endBeats.set(hold.id, beat.add({ id: hold.id, seen, abort: () => live.delete(hold.id) }));
    },
    end(id) {
      live.delete(id);
      endBeats.get(id)?.leave();
    },
    beat: () => beat.beat(),
    async sweep() {
      await reaper.sweep();
    },
    dead: () => dead,
    async close() {
      await custody.close();
      await spool.close();
      await redis.close();
      await proxy.end();
    },
  };
}
