// Redis' own log of writes. One that was torn inside a script's transaction keeps the torn half;
// Redis would carry that out at its next start but one, closed by the end of a later one: half a
// booking that nobody was told of, and no seq that tells. So the log is written anew after every
// start, and a start that comes before that is done finds the ledger lost (lua/outlive.lua).

import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Redis } from '../../drivers/redis.js';
import { RedisUnavailable } from '../../drivers/redis-errors.js';
import type { Script } from '../../drivers/scripts.js';
import type { LedgerKeys } from './keys.js';
import { toLedgerUnavailable } from './redis-wire.js';

export interface RedisLogOptions {
  redis: Redis;
  script: Script;
  keys: LedgerKeys;
  clock: Clock;
  log: Log | undefined;
}

/** Where Redis could not do it, it is asked again after so long. */
const ASK_EVERY_MS = 10_000;
const REFUSED = /^NOPERM|unknown command|not (allowed|permitted|supported)|disabled/i;
const LEFT_OPEN =
  'After a second crash of Redis the budgets may differ from the rows by half a booking (notice ' +
  'ledger.drift); starting Redis empty mends that.';

/** What is to be done once and again after a start of Redis; cheap where nothing is. */
export function createRedisLog(options: RedisLogOptions): () => Promise<void> {
  const { redis, script, keys, clock, log } = options;
  const names = [keys.start, keys.state];
  redis.prefaceWith({ script, keys: names, args: [''] });
  const note = async (arg: '' | 'left') =>
    (await redis.run(script, names, [arg]).catch(toLedgerUnavailable)) as [string, string];
  let asked = { run: '', atMs: 0 };
  let isTold = false;
  return async () => {
    const [state, run] = await note('');
    if (state === 'unknown' && !isTold) {
      isTold = true;
      log?.warn({}, `Redis does not tell whether its log was written anew. ${LEFT_OPEN}`);
    }
    const nowMs = clock.elapsedMs();
    if (state !== 'old' || (run === asked.run && nowMs - asked.atMs < ASK_EVERY_MS)) return;
    asked = { run, atMs: nowMs };
    const text = await writeAnew(redis);
    if (text === undefined) return;
    if (!REFUSED.test(text)) {
      log?.warn({ text }, 'Redis did not write its log anew; it will be asked again');
      return;
    }
    log?.warn({ text }, `Redis does not permit BGREWRITEAOF after its start. ${LEFT_OPEN}`);
    await note('left');
  };
}

/** What Redis said where it would not. */
async function writeAnew(redis: Redis): Promise<string | undefined> {
  try {
    await redis.onMasters('bgrewriteaof');
    return undefined;
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error;
    return error.text;
  }
}
