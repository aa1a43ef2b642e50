// Which ledger holds the money: this process' memory, or Redis for any number of gateways. Either
// is closed until it is known to be whole.

import type { Config } from './config.js';
import type { Clock } from './core/clock.js';
import { OperatorError } from './core/errors.js';
import type { Log } from './core/log.js';
import { openRedis } from './drivers/redis.js';
import { loadScripts } from './drivers/scripts.js';
import { createLeases, type Leases } from './stores/ledger/leases.js';
import type { CallableLedger } from './stores/ledger/ledger.js';
import { createMemoryLedger } from './stores/ledger/memory-ledger.js';
import { createOutbox, type Outbox } from './stores/ledger/outbox.js';
import { checkRedis } from './stores/ledger/redis-checks.js';
import { createRedisLedger, type RedisLedger } from './stores/ledger/redis-ledger.js';

export interface OpenLedger {
  ledger: CallableLedger;
  described: string;
  /** What only Redis has beside the ledger itself. */
  redis?: { ledger: RedisLedger; outbox: Outbox; leases: Leases };
  close(): Promise<void>;
}

const READY_WITHIN_MS = 10_000;

export async function composeLedger(config: Config, clock: Clock, log: Log): Promise<OpenLedger> {
  if (config.redisUrl !== null) return overRedis(config.redisUrl, config, clock, log);
  const ledger = createMemoryLedger({ clock });
  await ledger.closeAdmission();
  return { ledger, described: 'in this process', close: () => ledger.close() };
}

async function overRedis(url: string, config: Config, clock: Clock, log: Log): Promise<OpenLedger> {
  const urls = url.split(',');
  const redis = openRedis({
    urls,
    cluster: urls.length > 1,
    clock,
    log,
    commandTimeoutMs: config.ledger.commandTimeoutMs,
  });
  const close = () => redis.close();
  try {
    await redis.ready(READY_WITHIN_MS);
    const facts = await checkRedis(redis);
    const ledger = createRedisLedger({ redis, scripts: loadScripts(), clock, log });
    const outbox = createOutbox(redis, ledger.keys);
    const leases = createLeases(redis, loadScripts(), ledger.keys);
    const { host } = new URL(urls[0] ?? url);
    const described = `Redis ${facts.version} at ${host} (${facts.persistence})`;
    return {
      ledger,
      described,
      redis: { ledger, outbox, leases },
      async close() {
        await ledger.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(
      `Redis at ${urls.map((one) => new URL(one).host).join(', ')} does not answer.`,
      'Start it, correct REDIS_URL, or unset it for the embedded ledger.',
      { cause: error },
    );
  }
}
