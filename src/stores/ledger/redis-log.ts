// Redis' own log of writes. One that was torn inside a script's transaction keeps the torn half;
// Redis would carry that out at its next start, closed by the end of a later one: half a booking
// that nobody was told of, and no seq that tells. So it is written anew once Redis has begun anew.

import type { Redis } from '../../drivers/redis.js';
import { RedisUnavailable } from '../../drivers/redis-errors.js';
import type { LedgerKeys } from './keys.js';

export async function rewriteLog(redis: Redis): Promise<void> {
  await permitted(async () => {
    const texts = await redis.onMasters('info', 'persistence');
    if (texts.some((text) => String(text).includes('aof_enabled:1'))) {
      await redis.onMasters('bgrewriteaof');
    }
  });
}

/** Once for every start of Redis, whichever gateway looks first. */
export async function rewriteLogOfRun(redis: Redis, keys: LedgerKeys): Promise<void> {
  await permitted(async () => {
    const texts = await redis.onMasters('info', 'server');
    const runs = texts.map((text) => /run_id:(\w+)/.exec(String(text))?.[1]);
    const run = runs.sort().join(' ');
    if ((await redis.command('get', keys.run)) === run) return;
    await rewriteLog(redis);
    await redis.command('set', keys.run, run);
  });
}

// Not permitted, or under way already: nothing that anybody does must fail by it.
async function permitted(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error;
  }
}
