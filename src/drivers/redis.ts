// The only door to ioredis. A command is answered, or rejects with RedisUnavailable within its
// timeout: nothing is queued while the connection is down, nothing is sent twice by itself. The
// breaker opens at the first failure and closes when a probe is answered. On one server scripts and
// single commands go by a lane of our own beside the client, and by the client while it is down.

import { Redis as Client, Cluster, Command } from 'ioredis';
import type { Clock } from '../core/clock.js';
import type { Log } from '../core/log.js';
import { Deadlines } from './redis-deadlines.js';
import { addressOf, clientOptions, dialler, greetingOf, type RedisAddress } from './redis-dial.js';
import { breaks, isNoScript, RedisUnavailable, unavailable } from './redis-errors.js';
import type { PlainCall, Redis, RedisConfig, ScriptCall, SendOptions } from './redis-interface.js';
import { Lane } from './redis-lane.js';
import { Preface } from './redis-preface.js';
import { type Argument, plainly } from './redis-prepared.js';
import type { Script } from './scripts.js';

export type { PlainCall, Redis, RedisConfig, ScriptCall, SendOptions } from './redis-interface.js';

/** For what the client asks by itself; ours have their own deadlines, which come before. */
const BACKSTOP_MS = 1_000;
const OPEN_TIMEOUT_MS = 2_000;
const LANE_RETRY_MS = 250;
/** Probes without an answer after which the socket itself is given up. */
const DEAD_AFTER_PROBES = 10;

export function openRedis(config: RedisConfig): Redis {
  return new IoRedis(config);
}

class IoRedis implements Redis {
  readonly isCluster: boolean;
  readonly commandTimeoutMs: number;
  readonly #client: Client | Cluster;
  /** A cluster has none. */
  readonly #lane: Lane | undefined;
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  readonly #probeKey: string;
  readonly #deadlines: Deadlines;
  readonly #preface = new Preface();
  readonly #probeEveryMs: number;
  #isOpen = false;
  #isCorked = false;
  #isClosed = false;
  #unanswered = 0;
  #unusable = '';
  #stopProbing: (() => void) | undefined;

  constructor(config: RedisConfig) {
    this.isCluster = config.cluster ?? false;
    this.commandTimeoutMs = config.commandTimeoutMs ?? 100;
    this.#clock = config.clock;
    this.#log = config.log;
    this.#probeKey = config.probeKey ?? '{main}:probe';
    this.#probeEveryMs = config.probeEveryMs ?? 50;
    this.#deadlines = new Deadlines(config.clock, this.commandTimeoutMs);
    const address = addressOf(config.urls[0] ?? 'redis://127.0.0.1:6379');
    this.#client = connect(config, address, Math.max(BACKSTOP_MS, this.commandTimeoutMs));
    if (!this.isCluster) this.#lane = this.#beside(address, config.connectTimeoutMs);
    this.#client.on('error', (error: Error) => this.#fail(unavailable(error)));
    // The lane shares the client's fate: where one cannot go on, the other should not.
    this.#client.on('close', () => {
      this.#lane?.drop();
      this.#fail(new RedisUnavailable('closed', 'unknown'));
    });
    this.#client.on('ready', () => {
      void this.#lane?.open();
      void this.#probe();
    });
  }

  #beside(address: RedisAddress, openTimeoutMs = OPEN_TIMEOUT_MS): Lane {
    return new Lane({
      dial: dialler(address),
      greeting: greetingOf(address, this.#probeKey),
      clock: this.#clock,
      commandTimeoutMs: this.commandTimeoutMs,
      openTimeoutMs,
      retryMs: LANE_RETRY_MS,
      forgotten: (call) => this.#eval(call),
      failed: (error) => this.#fail(unavailable(error)),
      unusable: (error) => this.#tellUnusable(unavailable(error)),
    });
  }

  // Once, and not each time it is tried again. That Redis is away the client tells.
  #tellUnusable({ reason, text }: RedisUnavailable): void {
    if (reason === 'closed' || reason === 'timeout' || text === this.#unusable) return;
    this.#unusable = text;
    this.#log?.warn(
      { reason, text },
      'Redis refused a second connection; scripts go by the first.',
    );
  }

  get isUp(): boolean {
    return !this.#isOpen && this.#client.status === 'ready';
  }

  async ready(withinMs: number): Promise<void> {
    if (this.#client.status !== 'ready') await this.#connected(withinMs);
    await this.#lane?.open();
    // Tries that failed before have opened the breaker; one answer closes it.
    await this.#probe();
    if (!this.isUp) throw new RedisUnavailable('closed', 'not_done');
  }

  #connected(withinMs: number): Promise<void> {
    const client = this.#client;
    return new Promise<void>((resolve, reject) => {
      const onReady = (): void => {
        cancel();
        resolve();
      };
      const cancel = this.#clock.after(withinMs, () => {
        client.off('ready', onReady);
        reject(new RedisUnavailable('closed', 'not_done'));
      });
      client.once('ready', onReady);
    });
  }

  run(
    script: Script,
    keys: readonly Argument[],
    args: readonly Argument[],
    options?: SendOptions,
  ): Promise<unknown> {
    if (this.#isOpen && !options?.through) return Promise.reject(notSent());
    if (this.#lane?.isUp) return this.#lane.run(script, keys, args);
    return this.#runByClient({ script, keys, args });
  }

  async #runByClient(call: ScriptCall): Promise<unknown> {
    try {
      return await this.#send('evalsha', [call.script.sha, ...plainly(call)]);
    } catch (error) {
      if (!isNoScript(error)) throw this.#fail(unavailable(error));
      return this.#eval(call);
    }
  }

  async command(...[name, ...args]: PlainCall): Promise<unknown> {
    this.#admit();
    if (this.#lane?.isUp) return this.#lane.command(name, args);
    try {
      return await this.#send(name, args);
    } catch (error) {
      throw this.#fail(unavailable(error));
    }
  }

  async pipeline(calls: readonly (PlainCall | ScriptCall)[]): Promise<unknown[]> {
    if (calls.length === 0) return [];
    this.#admit();
    const pipeline = this.#client.pipeline();
    for (const call of calls) {
      if ('script' in call) {
        pipeline.call('evalsha', call.script.sha, ...plainly(call));
      } else {
        pipeline.call(...call);
      }
    }
    const replies = (await this.#deadlines.within(pipeline.exec()).catch((error) => {
      throw this.#fail(unavailable(error));
    })) as [Error | null, unknown][];
    return Promise.all(
      replies.map(async ([error, reply], i) => {
        const call = calls[i]!;
        if (error === null) return reply;
        if ('script' in call && isNoScript(error)) return this.#eval(call);
        throw this.#fail(unavailable(error));
      }),
    );
  }

  async onMasters(...[name, ...args]: PlainCall): Promise<unknown[]> {
    try {
      return await Promise.all(this.#masters().map((master) => master.call(name, ...args)));
    } catch (error) {
      throw this.#fail(unavailable(error));
    }
  }

  async *scan(pattern: string, count: number): AsyncIterable<string[]> {
    for (const master of this.#masters()) {
      let cursor = '0';
      do {
        const page = await master.scan(cursor, 'MATCH', pattern, 'COUNT', count).catch((error) => {
          throw this.#fail(unavailable(error));
        });
        cursor = page[0];
        yield page[1];
      } while (cursor !== '0');
    }
  }

  #masters(): Client[] {
    const client = this.#client;
    return client instanceof Cluster ? client.nodes('master') : [client];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopProbing?.();
    this.#lane?.drop();
    this.#client.disconnect();
  }

  #admit(): void {
    if (this.#isOpen) throw notSent();
  }

  // One write for all commands of a turn of the loop: a system call each costs more than the
  // command. The next tick would be too early: it comes after every single socket that was read.
  #cork(): void {
    if (this.#isCorked || this.#client instanceof Cluster) return;
    const { stream } = this.#client;
    if (!stream?.writable) return;
    this.#isCorked = true;
    stream.cork();
    setImmediate(() => {
      this.#isCorked = false;
      stream.uncork();
    });
  }

  #send(name: string, args: readonly string[]): Promise<unknown> {
    this.#cork();
    const command = new Command(name, args as string[], { replyEncoding: 'utf8' });
    return this.#deadlines.within(this.#client.sendCommand(command) as Promise<unknown>);
  }

  async #eval(call: ScriptCall): Promise<unknown> {
    try {
      await this.#preface.done((name, all) => this.#send(name, all));
      return await this.#send('eval', [call.script.text, ...plainly(call)]);
    } catch (error) {
      throw this.#fail(unavailable(error));
    }
  }

  prefaceWith(call: ScriptCall): void {
    this.#preface.set(call);
  }

  #fail(error: RedisUnavailable): RedisUnavailable {
    if (!breaks(error.reason) || this.#isClosed || error.reason === 'breaker_open') return error;
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.#unanswered = 0;
      this.#log?.warn({ reason: error.reason, text: error.text }, 'Redis cannot answer.');
      this.#stopProbing = this.#clock.every(this.#probeEveryMs, () => void this.#probe());
      if (error.reason === 'timeout') void this.#probe();
    }
    // A replica that was a master: another address may lead to the new one.
    if (error.reason === 'readonly') this.#reconnect();
    return error;
  }

  async #probe(): Promise<void> {
    if (!this.#isOpen || this.#isClosed || this.#client.status !== 'ready') return;
    try {
      // Both ways, because either may be the one on which nothing is answered.
      const lane = this.#lane?.isUp ? this.#lane.command('get', [this.#probeKey]) : undefined;
      await Promise.all([lane, this.#send('get', [this.#probeKey])]);
    } catch (error) {
      this.#log?.debug({ text: unavailable(error).text }, 'A probe of Redis failed.');
      this.#unanswered += 1;
      if (this.#unanswered % DEAD_AFTER_PROBES === 0) this.#reconnect();
      return;
    }
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stopProbing?.();
    this.#log?.info({}, 'Redis answers again.');
  }

  #reconnect(): void {
    if (this.#client instanceof Client && this.#client.status === 'ready') {
      this.#lane?.drop();
      this.#client.disconnect(true);
    }
  }
}

function notSent(): RedisUnavailable {
  return new RedisUnavailable('breaker_open', 'not_done');
}

function connect(
  config: RedisConfig,
  address: RedisAddress,
  commandTimeout: number,
): Client | Cluster {
  const connectTimeout = config.connectTimeoutMs ?? OPEN_TIMEOUT_MS;
  const { single, cluster } = clientOptions(address, { commandTimeout, connectTimeout });
  return config.cluster ? new Cluster([...config.urls], cluster) : new Client(single);
}
