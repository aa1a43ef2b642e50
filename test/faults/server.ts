// The Redis of the proof, which is killed, cut short, emptied, stopped and filled, and comes back on
// its port. Its log of writes is on disk before an answer leaves, as `appendonly yes` has it.

import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { realClock } from '#src/drivers/clock.js';
import { openRedis, type Redis } from '#src/drivers/redis.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { ledgerKeys } from '#src/stores/ledger/keys.js';
import type { Random } from '../model/random.js';
import { type Server, startRedis } from '../support/programs.js';

const OPTIONS = ['--appendonly', 'yes', '--appendfsync', 'no', '--loglevel', 'warning'];
const { start: START, state: STATE } = ledgerKeys();
const OUTLIVE = loadScripts().outlive;
const TAIL_BYTES = 64 * 1024;

export class RedisOnTrial {
  readonly port: number;
  readonly #folder: string;
  #server: Server;
  #redis: Redis;
  #isSlow = false;

  private constructor(folder: string, server: Server, redis: Redis) {
    this.#folder = folder;
    this.port = server.port;
    this.#server = server;
    this.#redis = redis;
  }

  static async start(folder: string): Promise<RedisOnTrial> {
    const server = await startRedis(folder, OPTIONS);
    return new RedisOnTrial(folder, server, await reach(server.url));
  }

  /** Past the proxies, for whoever looks on. */
  get redis(): Redis {
    return this.#redis;
  }

  /** Its log was written anew since it began, unless it never will be. */
  async isSettled(): Promise<void> {
    while (!this.#isSlow) {
      const text = String(await this.#redis.command('info', 'server'));
      const [run, log] = (await this.#redis.command('hmget', START, 'run', 'log')) as string[];
      if (text.includes(`run_id:${run}`) && log === 'new') return;
      await wait(5);
    }
  }

  async kill(): Promise<void> {
    await this.#redis.close();
    await this.#server.kill();
  }

  /** What the first script of any gateway finds; `options` are for this start only. */
  async restart(options: readonly string[] = []): Promise<void> {
    this.#isSlow = options.length > 0;
    this.#server = await startRedis(this.#folder, [...OPTIONS, ...options], this.port);
    this.#redis = await reach(this.#server.url);
    await this.#redis.run(OUTLIVE, [START, STATE], ['']);
  }

  /** What Redis would find after a crash that tore its log off, mostly near the end. */
  cut(random: Random): void {
    const folder = join(this.#folder, 'appendonlydir');
    const files = readdirSync(folder).filter((name) => name.endsWith('.incr.aof'));
    const file = files.sort((a, b) => numberOf(b) - numberOf(a))[0]!;
    const { size } = statSync(join(folder, file));
    const least = random.chance(0.75) ? Math.max(0, size - TAIL_BYTES) : 0;
    truncateSync(join(folder, file), random.whole(least, size));
  }

  empty(): void {
    rmSync(join(this.#folder, 'appendonlydir'), { recursive: true });
  }

  pause(): void {
    process.kill(this.#server.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.#server.pid, 'SIGCONT');
  }
}

function numberOf(file: string): number {
  return Number(/\.(\d+)\.incr/.exec(file)?.[1]);
}

async function reach(url: string): Promise<Redis> {
  const redis = openRedis({ urls: [url], clock: realClock, commandTimeoutMs: 10_000 });
  await redis.ready(10_000);
  return redis;
}
