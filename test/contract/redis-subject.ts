// A Redis ledger under test: keys of its own by its hash tag, admission open in epoch 1, timeouts
// that a busy machine does not meet.

import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '#src/core/clock.js';
import { realClock } from '#src/drivers/clock.js';
import { openRedis, type Redis } from '#src/drivers/redis.js';
import { loadScripts, type Scripts } from '#src/drivers/scripts.js';
import { createRedisLedger, type RedisLedger } from '#src/stores/ledger/redis-ledger.js';
import type { Subject } from './subject.js';

export interface RedisSubject extends Subject {
  ledger: RedisLedger;
  redis: Redis;
  scripts: Scripts;
  /** Another gateway on the same keys, with a connection of its own. */
  another(): Promise<RedisLedger>;
}

/** A guarantee that only Redis gives. */
export interface RedisGuarantee {
  name: string;
  check(subject: RedisSubject): Promise<void>;
}

export interface RedisSubjectOptions {
  urls: readonly string[];
  cluster?: boolean;
  clock?: Clock;
  scripts?: Scripts;
  commandTimeoutMs?: number;
}

/** The answer alone: a script's first word. */
export function answerOf(reply: unknown): string {
  const text = Array.isArray(reply) ? reply[0] : reply;
  return String(text).split(' ', 1)[0]!;
}

export const TEST_TIMEOUT_MS = 2_000;

export async function openRedisSubject(options: RedisSubjectOptions): Promise<RedisSubject> {
  const scripts = options.scripts ?? loadScripts();
  const clock = options.clock ?? realClock;
  const tag = randomUUID();
  const opened: Redis[] = [];
  const connect = async (): Promise<RedisLedger> => {
    const redis = openRedis({
      urls: options.urls,
      cluster: options.cluster ?? false,
      clock,
      commandTimeoutMs: options.commandTimeoutMs ?? TEST_TIMEOUT_MS,
      probeKey: `{${tag}}:probe`,
    });
    opened.push(redis);
    await redis.ready(10_000);
    return createRedisLedger({ redis, scripts, clock, tag });
  };
  const stop = async (): Promise<void> => {
    await Promise.all(opened.map((redis) => redis.close()));
  };
  const ledger = await connect();
  try {
    await ledger.openAdmission(1);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ledger,
    redis: opened[0]!,
    scripts,
    async another() {
      const other = await connect();
      await other.state();
      return other;
    },
    // A timer may fire a little early by the clock that is asked.
    pass: (ms) => wait(ms + 2),
    stop,
  };
}
