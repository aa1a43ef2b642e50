// The ledger of any number of gateways: every verb is one script on one Redis, so nothing can come
// between its reading and its writing. Time is Redis' own. A gateway that was fenced off, or a
// Redis that has lost writes, is found out by the script itself and answers STALE_EPOCH or
// LEDGER_LOST; `state` then enters the new epoch, once there is one.

import { assert } from '../../core/assert.js';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Redis } from '../../drivers/redis.js';
import type { Scripts } from '../../drivers/scripts.js';
import { type LedgerKeys, ledgerKeys } from './keys.js';
import { type Ledger, LedgerUnavailable } from './ledger.js';
import { adjust, restore, setLimits } from './redis-adjust.js';
import { finalize, reap, release } from './redis-end.js';
import { beat, extend, firstKeys, type RedisParts, reserve } from './redis-hold.js';
import { PinnedLines } from './redis-lines.js';
import { createRedisLog } from './redis-log.js';
import { balances, type CounterRow, counterPage, holds, overdue } from './redis-read.js';
import { createRoll } from './redis-roll.js';
import { RedisWire, toLedgerUnavailable } from './redis-wire.js';

export interface RedisLedgerOptions {
  redis: Redis;
  scripts: Scripts;
  clock: Clock;
  log?: Log;
  /** The hash tag of every key; one installation has one. */
  tag?: string;
}

export interface RedisLedger extends Ledger {
  readonly kind: 'redis';
  readonly keys: LedgerKeys;
  /** Raises what the ledger must have reached, by the watermark in SQL; never lowers it. */
  witness(epoch: number, seq: number): void;
  /**
   * Begins a rebuild: this epoch, admission closed, and nothing left but limits and the outbox.
   * From here on every other gateway is answered STALE_EPOCH until it has read `state`.
   */
  beginEpoch(epoch: number): Promise<void>;
  /**
   * After a start of Redis, until its log is written anew: what a crash tore in it is then not
   * carried out at the next start. One that comes before finds the ledger lost.
   */
  outliveRestart(): Promise<void>;
  /** Tells now and then that this gateway lives, and lets go of what is kept of those long gone. */
  answerRoll(): Promise<void>;
  /** Every counter, page by page, from cursor '0' until it comes back as '0'. */
  counters(cursor: string): Promise<{ cursor: string; counters: CounterRow[] }>;
}

const KEYS_A_PAGE = 500;

export function createRedisLedger(options: RedisLedgerOptions): RedisLedger {
  const { redis, scripts, clock } = options;
  const keys = ledgerKeys(options.tag);
  const wire = new RedisWire(redis, scripts, clock);
  const script = scripts.outlive;
  const outliveRestart = createRedisLog({ redis, script, keys, clock, log: options.log });
  const first = firstKeys(keys);
  const parts: RedisParts = { redis, wire, keys, pinned: new PinnedLines(), first };
  const roll = createRoll(wire, keys, clock);
  return {
    kind: 'redis',
    keys,
    nowMs: () => wire.nowMs(),
    reserve: (request) => reserve(parts, request),
    extend: (request) => extend(parts, request),
    beat: (request) => beat(parts, request),
    finalize: (request) => finalize(parts, request),
    release: (id) => release(parts, id),
    reap: (ids) => reap(parts, ids),
    adjust: (request) => adjust(parts, request),
    setLimits: (settings) => setLimits(parts, settings),
    restore: (request) => restore(parts, request),
    balances: (lines) => balances(parts, lines),
    holds: (page) => holds(parts, page),
    overdue: (limit) => overdue(parts, limit),
    async closeAdmission() {
      await admit(parts, 'close', wire.epoch);
    },
    async openAdmission(epoch) {
      await admit(parts, 'open', epoch);
    },
    state: () => readState(parts),
    witness: (epoch, seq) => wire.enter(epoch, seq),
    async beginEpoch(epoch) {
      await admit(parts, 'begin', epoch);
      parts.pinned.clear();
      await clear(parts);
      // From here on its rebuild may write.
      await admit(parts, 'close', epoch);
    },
    outliveRestart,
    answerRoll: () => roll.here(),
    async counters(cursor) {
      const page = await counterPage(parts, cursor);
      if (page.expired.length > 0) {
        await redis
          .run(scripts.sweep, [keys.labels, ...page.expired], [])
          .catch(toLedgerUnavailable);
      }
      return { cursor: page.cursor, counters: page.counters };
    },
    async close() {
      parts.pinned.clear();
      await roll.gone();
    },
  };
}

async function readState({ wire, keys }: RedisParts): ReturnType<Ledger['state']> {
  // What was seen before asking: replies of other commands may come in while this one travels, and
  // a ledger is not lost for having gone on.
  const seen = { epoch: wire.epoch, seq: wire.seqSeen, own: wire.own };
  const raw = await wire.send('state', [keys.state, keys.leases], []);
  const [open, held] = raw.detail as [number, number];
  const { seq, epoch, timeMs, last } = raw;
  const isShort = seq < seen.seq || last < seen.own;
  const isBehind = epoch < seen.epoch || (epoch === seen.epoch && isShort);
  if (!isBehind) wire.enter(epoch, seq);
  return { open: open === 1 && epoch > 0 && !isBehind, seq, epoch, timeMs, held };
}

async function admit(
  { wire, keys }: RedisParts,
  how: 'close' | 'open' | 'begin',
  epoch: number,
): Promise<void> {
  const raw = await wire.send('admission', [keys.state], [how, `${epoch}`]);
  if (raw.answer === 'LEDGER_LOST') throw new LedgerUnavailable(raw.answer);
  assert(raw.answer === 'DONE', `admission: ${how} in epoch ${epoch}: ${raw.answer}`);
  if (how !== 'close') wire.enter(raw.epoch, raw.seq);
}

// By SCAN, because tombstones are in no index; writes of the epoch before are fenced off already.
async function clear({ redis, wire, keys }: RedisParts): Promise<void> {
  const kept = new Set([keys.state, keys.limits, keys.outbox, keys.fence, keys.start]);
  const workers = keys.worker('');
  try {
    for await (const names of redis.scan(`${keys.prefix}*`, KEYS_A_PAGE)) {
      const gone = names.filter((name) => !kept.has(name) && !name.startsWith(workers));
      if (gone.length === 0) continue;
      const { answer } = await wire.send('clear', [keys.state, ...gone], []);
      assert(answer === 'DONE', `clear: ${answer}`);
    }
  } catch (error) {
    toLedgerUnavailable(error);
  }
}
