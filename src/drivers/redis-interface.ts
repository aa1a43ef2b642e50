// What the rest of the house may ask of Redis; `redis.ts` is who asks.

import type { Clock } from '../core/clock.js';
import type { Log } from '../core/log.js';
import type { Argument } from './redis-prepared.js';
import type { Script } from './scripts.js';

export interface RedisConfig {
  /** `redis://user:password@host:port/db`; with `cluster`, some of its nodes. */
  urls: readonly string[];
  cluster?: boolean;
  clock: Clock;
  log?: Log;
  commandTimeoutMs?: number;
  connectTimeoutMs?: number;
  /** How often an open breaker asks whether Redis is back. */
  probeEveryMs?: number;
  /** What the probe reads; in a cluster it must lie where the other keys lie. */
  probeKey?: string;
}

export interface SendOptions {
  /** Goes out although the breaker is open: for what must be cleared up. */
  through?: boolean;
}

export interface ScriptCall {
  script: Script;
  keys: readonly Argument[];
  args: readonly Argument[];
}
export type PlainCall = readonly [name: string, ...args: string[]];

export interface Redis {
  readonly isCluster: boolean;
  /** Whether a command would be sent now. */
  readonly isUp: boolean;
  readonly commandTimeoutMs: number;
  /** Resolves when the connection is ready; rejects with RedisUnavailable after `withinMs`. */
  ready(withinMs: number): Promise<void>;
  /**
   * One round trip; two where Redis has forgotten the script. Amounts must be answered as text: the
   * client's decoder rounds integers within 48 of 2^53.
   */
  run(
    script: Script,
    keys: readonly Argument[],
    args: readonly Argument[],
    options?: SendOptions,
  ): Promise<unknown>;
  command(...call: PlainCall): Promise<unknown>;
  /**
   * Redis forgets its scripts when it starts. Before it is told one of them anew it is to have run
   * this one; so nothing else runs first after a start.
   */
  prefaceWith(call: ScriptCall): void;
  /** One write for all; replies in order. The first failure rejects the whole. */
  pipeline(calls: readonly (PlainCall | ScriptCall)[]): Promise<unknown[]>;
  /** Names of all keys like `pattern`, in pages; a key may come twice. */
  scan(pattern: string, count: number): AsyncIterable<string[]>;
  /** The same command on every master; one reply each. */
  onMasters(...call: PlainCall): Promise<unknown[]>;
  close(): Promise<void>;
}
