// What is done to Redis, to its wire and to its records, one kind a name.

import { setTimeout as wait } from 'node:timers/promises';
import type { FaultRun } from './run.js';

export const FAULTS = [
  'reply lost',
  'delivered twice',
  'delivered late',
  'redis killed',
  'log cut',
  'killed again at once',
  'scripts flushed',
  'memory full',
  'redis stopped',
  'empty restart',
  'record damaged',
] as const;
export type Fault = (typeof FAULTS)[number];

const VERBS = ['reserve', 'extend', 'beat', 'finalize', 'release', 'reap', 'set_limit'];
/** Redis would take a second for each key that it writes. */
const NEVER_WRITTEN = ['--rdb-key-save-delay', '1000000'];
const STRIKE_WITHIN_MS = 5_000;
/** So many calls meet a damaged record before it is mended. */
const CORRUPT_MIN = 12;

/** Resolves when it is over and every gateway is admitted again. */
export async function inject(run: FaultRun, fault: Fault): Promise<void> {
  const { random, server } = run;
  switch (fault) {
    case 'reply lost':
    case 'delivered twice':
    case 'delivered late':
      return strike(run, fault);
    case 'scripts flushed':
      await server.redis.command('script', 'flush');
      return run.look();
    case 'memory full':
      await server.redis.command('config', 'set', 'maxmemory', '1');
      await wait(random.whole(20, 150));
      await server.redis.command('config', 'set', 'maxmemory', '0');
      return run.look();
    case 'redis stopped':
      server.pause();
      await wait(random.whole(50, 600));
      server.resume();
      await run.untilOpen();
      return run.look();
    case 'record damaged':
      return damage(run);
    case 'redis killed':
      await run.crash(() => {});
      return run.look();
    case 'log cut':
      await run.crash(() => server.cut(random));
      return run.look();
    case 'killed again at once':
      await run.crash(() => server.cut(random), NEVER_WRITTEN);
      await wait(random.whole(0, 300));
      await run.crash(() => {});
      return run.look();
    case 'empty restart':
      await run.crash(() => server.empty());
      return run.look();
  }
}

async function strike(
  run: FaultRun,
  fault: 'reply lost' | 'delivered twice' | 'delivered late',
): Promise<void> {
  const { proxy } = run.random.one(run.gateways);
  // A verb that does not come soon is not waited for.
  run.wanted = [run.random.one(VERBS)];
  const struck = proxy.strike(fault);
  const widened = wait(300).then(() => {
    run.wanted = VERBS;
  });
  const inTime = await Promise.race([
    struck.then(() => true),
    wait(STRIKE_WITHIN_MS, false, { ref: false }),
  ]);
  if (!inTime) throw new Error(`nothing came that could be struck: ${fault}`);
  await widened;
  await run.untilOpen();
}

// Somebody deletes what a finalize needs of every hold there is, and puts it back a little later.
async function damage(run: FaultRun): Promise<void> {
  const { auditor, keys } = run;
  const { redis } = run.server;
  const texts = new Map<string, string>();
  const told = (): number => auditor.counts.get('finalize CORRUPT') ?? 0;
  const enough = told() + CORRUPT_MIN;
  const untilMs = performance.now() + STRIKE_WITHIN_MS;
  while (told() < enough && performance.now() < untilMs) {
    for (const id of (await redis.command('zrange', keys.leases, '0', '-1')) as string[]) {
      if (texts.has(id)) continue;
      const text = (await redis.command('hget', keys.reservation(id), 'lines')) as string | null;
      if (text === null) continue;
      texts.set(id, text);
      auditor.damaged.add(id);
      await redis.command('hdel', keys.reservation(id), 'lines');
    }
  }
  for (const [id, text] of texts) {
    const isThere = await redis.command('exists', keys.reservation(id));
    if (isThere) await redis.command('hset', keys.reservation(id), 'lines', text);
  }
  await run.look();
}
