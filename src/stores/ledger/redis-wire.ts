// What every verb on Redis shares: the fence's arguments, the reading of a reply's head, ledger
// time, and the one failure, LedgerUnavailable. It remembers its epoch, the highest seq it has seen
// and that of its own last mutation, so that a ledger which has lost writes is found out by the
// next script, also where others have written past what was lost.

import { assert } from '../../core/assert.js';
import type { Clock } from '../../core/clock.js';
import { randomBase62 } from '../../core/id.js';
import type { Redis, SendOptions } from '../../drivers/redis.js';
import { RedisUnavailable } from '../../drivers/redis-errors.js';
import type { Argument } from '../../drivers/redis-prepared.js';
import type { ScriptName, Scripts } from '../../drivers/scripts.js';
import { type AnyVerb, LedgerUnavailable, type Reply } from './ledger.js';
import { type LineKey, readBalances } from './redis-lines.js';
import { Words } from './redis-words.js';

export interface Raw {
  answer: string;
  seq: number;
  epoch: number;
  timeMs: number;
  /** A text, or a list where the script makes one. */
  detail: unknown;
  balances: string;
  /** The seq of the last mutation of this gateway that the ledger knows of. */
  last: number;
}

/** Where `sendFenced` writes. */
export const FENCE: readonly string[] = ['', ''];
const NAME_LENGTH = 12;

export class RedisWire {
  readonly redis: Redis;
  readonly #scripts: Scripts;
  readonly #clock: Clock;
  /** By which the ledger knows whose mutation was whose. */
  readonly #name = `g${randomBase62(NAME_LENGTH)}`;
  #epoch: number;
  #seqSeen: number;
  #own = 0;
  #toldMs: number;
  #toldAtMs: number;

  constructor(redis: Redis, scripts: Scripts, clock: Clock) {
    this.redis = redis;
    this.#scripts = scripts;
    this.#clock = clock;
    this.#epoch = 0;
    this.#seqSeen = 0;
    // Until the first reply the gateway's own clock is all there is.
    this.#toldMs = clock.nowMs();
    this.#toldAtMs = clock.elapsedMs();
  }

  get epoch(): number {
    return this.#epoch;
  }

  get seqSeen(): number {
    return this.#seqSeen;
  }

  /** The seq of the last mutation of this gateway that was answered. */
  get own(): number {
    return this.#own;
  }

  /** By the monotonic clock since the last reply: setting the gateway's clock moves nothing. */
  nowMs(): number {
    return Math.floor(this.#toldMs + this.#clock.elapsedMs() - this.#toldAtMs);
  }

  /** Monotonic, for how long a command took. */
  elapsedMs(): number {
    return this.#clock.elapsedMs();
  }

  /** Enters a later epoch, or a later place in this one; never goes back. */
  enter(epoch: number, seq: number): void {
    if (epoch > this.#epoch) {
      this.#epoch = epoch;
      this.#seqSeen = seq;
      this.#own = 0;
    } else if (epoch === this.#epoch && seq > this.#seqSeen) {
      this.#seqSeen = seq;
    }
  }

  send(
    name: ScriptName,
    keys: readonly Argument[],
    args: readonly Argument[],
    options?: SendOptions,
  ): Promise<Raw> {
    return this.sendFenced(name, keys, [...FENCE, ...args], options);
  }

  /** The same with places for the fence before the arguments, which are filled in. */
  async sendFenced(
    name: ScriptName,
    keys: readonly Argument[],
    args: Argument[],
    options?: SendOptions,
  ): Promise<Raw> {
    args[0] = `${this.#epoch}`;
    args[1] = `${this.#seqSeen} ${this.#own} ${this.#name}`;
    let reply: unknown;
    try {
      reply = await this.redis.run(this.#scripts[name], keys, args, options);
    } catch (error) {
      toLedgerUnavailable(error);
    }
    const raw = readReply(reply);
    this.#toldMs = raw.timeMs;
    this.#toldAtMs = this.#clock.elapsedMs();
    if (raw.epoch === this.#epoch) {
      this.#seqSeen = Math.max(this.#seqSeen, raw.seq);
      this.#own = Math.max(this.#own, raw.last);
    }
    return raw;
  }

  /** The reply to a request that is not worth a round trip. */
  invalid(): Reply<AnyVerb> {
    const { epoch, seqSeen: seq } = this;
    return { answer: 'INVALID_INPUT', balances: [], seq, epoch, timeMs: this.nowMs() };
  }
}

/** Reads what `reply` of lua/parts/fence.lua has made. */
export function readReply(reply: unknown): Raw {
  const list = Array.isArray(reply) ? (reply as [string, unknown]) : undefined;
  const words = new Words(list ? list[0] : (reply as string));
  const answer = words.word();
  const seq = words.number();
  const epoch = words.number();
  const timeMs = words.number();
  const last = words.number();
  const { text, at } = words;
  const end = list ? text.length : text.indexOf('\n', at);
  assert(last >= 0 && end >= at, 'a reply of the ledger cannot be read');
  const detail = list ? list[1] : text.slice(end + 1);
  return { answer, seq, epoch, timeMs, detail, balances: text.slice(at, end), last };
}

export function replyOf<A extends string>(raw: Raw, lines: readonly LineKey[]): Reply<A> {
  const { answer, seq, epoch, timeMs, balances } = raw;
  return { answer: answer as A, balances: readBalances(lines, balances), seq, epoch, timeMs };
}

/** Rejects with LedgerUnavailable for what the wire could not do; lets bugs pass as they are. */
export function toLedgerUnavailable(error: unknown): never {
  if (error instanceof RedisUnavailable) {
    throw new LedgerUnavailable(`the ledger cannot answer (${error.reason})`, { cause: error });
  }
  throw error;
}

/** Whether the verb may have taken effect although no answer came. */
export function isUnknown(error: unknown): boolean {
  const cause = error instanceof LedgerUnavailable ? error.cause : undefined;
  return cause instanceof RedisUnavailable && cause.outcome === 'unknown';
}
