// A connection of our own to one Redis, for what every call sends: commands of a turn of the loop
// leave in one write, replies are handed to whoever waits, in order, and a command has one promise
// and one deadline. Nothing waits for a lane that is down, and nothing is sent twice.

import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.js';
import { CommandWriter } from './redis-commands.js';
import { TIMED_OUT } from './redis-deadlines.js';
import { isNoScript, isPasswordNotWanted, RedisUnavailable, ReplyError } from './redis-errors.js';
import type { ScriptCall } from './redis-interface.js';
import type { Argument } from './redis-prepared.js';
import { type RedisReply, ReplyReader } from './redis-replies.js';
import type { Script } from './scripts.js';

export interface LaneOptions {
  /** A socket that is being opened, and the event that says it is. */
  dial(): { socket: Socket; opens: string };
  /** What a new connection says first; it is up once all of it was answered. */
  greeting: readonly (readonly [name: string, ...args: string[]])[];
  clock: Clock;
  commandTimeoutMs: number;
  openTimeoutMs: number;
  /** How long after a connection was lost the next one is tried. */
  retryMs: number;
  /** Sends a script whole that Redis has forgotten. */
  forgotten(call: ScriptCall): Promise<unknown>;
  /** Told of every failed command; what it answers is what the command rejects with. */
  failed(error: RedisUnavailable | ReplyError): Error;
  /** Told why a connection that was tried cannot be used. */
  unusable(error: unknown): void;
}

class Waiting {
  next: Waiting | undefined;
  isGivenUp = false;
  constructor(
    readonly resolve: (reply: unknown) => void,
    readonly reject: (error: Error) => void,
    readonly dueMs: number,
    readonly sent: ScriptCall | undefined,
  ) {}
}

export class Lane {
  readonly #options: LaneOptions;
  #isUp = false;
  #isWanted = false;
  #socket: Socket | undefined;
  #opening: Promise<void> | undefined;
  #writer = new CommandWriter();
  #isDue = false;
  /** In the order in which they were sent, which is that of replies and of deadlines. */
  #first: Waiting | undefined;
  #last: Waiting | undefined;
  #isArmed = false;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Opens it, and again whenever it is lost; resolves once it is up or the try has failed. */
  open(): Promise<void> {
    this.#isWanted = true;
    if (this.#isUp) return Promise.resolve();
    this.#opening ??= this.#dial().finally(() => {
      this.#opening = undefined;
      if (!this.#isUp) this.#retry();
    });
    return this.#opening;
  }

  /** Whatever waits rejects, as with a connection that was lost. */
  drop(): void {
    this.#isWanted = false;
    this.#socket?.destroy();
    if (this.#socket) this.#lost(this.#socket);
  }

  run(script: Script, keys: readonly Argument[], args: readonly Argument[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#writer.script(script, keys, args);
      this.#sent(resolve, reject, { script, keys, args });
    });
  }

  command(name: string, args: readonly string[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#writer.plain(name, args);
      this.#sent(resolve, reject, undefined);
    });
  }

  async #dial(): Promise<void> {
    const { greeting, clock, openTimeoutMs } = this.#options;
    const { socket, opens } = this.#options.dial();
    this.#socket = socket;
    this.#writer = new CommandWriter();
    const reader = new ReplyReader((reply) => this.#answered(reply));
    socket.on('data', (bytes: Buffer) => {
      try {
        reader.read(bytes);
      } catch (error) {
        socket.destroy();
        this.#options.failed(new RedisUnavailable('closed', 'unknown', error));
        this.#lost(socket);
      }
    });
    const cancel = clock.after(openTimeoutMs, () => socket.destroy());
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once(opens, () => resolve());
        // An error is followed by its close.
        socket.on('error', reject);
        socket.once('close', () => {
          reject(new RedisUnavailable('closed', 'unknown'));
          this.#lost(socket);
        });
      });
      await Promise.all(greeting.map(([name, ...args]) => this.#greet(name, args)));
      this.#isUp = socket === this.#socket;
    } catch (error) {
      this.#options.unusable(error);
      socket.destroy();
    } finally {
      cancel();
    }
  }

  async #greet(name: string, args: readonly string[]): Promise<void> {
    try {
      await this.command(name, args);
    } catch (error) {
      if (!isPasswordNotWanted(error)) throw error;
    }
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    const wasUp = this.#isUp;
    this.#socket = undefined;
    this.#isUp = false;
    let waiting = this.#first;
    this.#first = undefined;
    this.#last = undefined;
    while (waiting) {
      const { next } = waiting;
      if (!waiting.isGivenUp) this.#fail(waiting, new RedisUnavailable('closed', 'unknown'));
      waiting = next;
    }
    if (wasUp) this.#retry();
  }

  #retry(): void {
    if (!this.#isWanted) return;
    this.#options.clock.after(this.#options.retryMs, () => {
      if (this.#isWanted) void this.open();
    });
  }

  #fail(waiting: Waiting, error: RedisUnavailable | ReplyError): void {
    waiting.reject(this.#options.failed(error));
  }

  #sent(
    resolve: (reply: unknown) => void,
    reject: (error: Error) => void,
    sent: ScriptCall | undefined,
  ): void {
    const { clock, commandTimeoutMs } = this.#options;
    const waiting = new Waiting(resolve, reject, clock.elapsedMs() + commandTimeoutMs, sent);
    if (this.#last) this.#last.next = waiting;
    else this.#first = waiting;
    this.#last = waiting;
    if (!this.#isArmed) this.#arm(commandTimeoutMs);
    if (this.#isDue) return;
    // One write for all commands of a turn of the loop: a system call each costs more than the
    // command. The next tick would be too early: it comes after every single socket that was read.
    this.#isDue = true;
    setImmediate(() => this.#write());
  }

  #write(): void {
    this.#isDue = false;
    const socket = this.#socket;
    const bytes = this.#writer.take();
    if (!socket || bytes.length === 0) return;
    socket.write(bytes);
    this.#writer.left(socket.writableLength === 0);
  }

  #answered(reply: RedisReply): void {
    const waiting = this.#first;
    if (!waiting) throw new Error('Nobody has asked for this reply.');
    this.#first = waiting.next;
    if (!this.#first) this.#last = undefined;
    // An old one must not keep all that came after it.
    waiting.next = undefined;
    if (waiting.isGivenUp) return;
    if (!(reply instanceof ReplyError)) return waiting.resolve(reply);
    const { sent } = waiting;
    if (!sent || !isNoScript(reply)) return this.#fail(waiting, reply);
    this.#options.forgotten(sent).then(waiting.resolve, waiting.reject);
  }

  #arm(afterMs: number): void {
    this.#isArmed = true;
    this.#options.clock.after(afterMs, () => this.#look());
  }

  // A loop that was busy runs its timers before it reads what had come in time: what is late is
  // given up only once the loop has read again.
  #look(): void {
    this.#isArmed = false;
    const first = this.#oldest();
    if (!first) return;
    const nowMs = this.#options.clock.elapsedMs();
    if (first.dueMs > nowMs) return this.#arm(Math.max(1, first.dueMs - nowMs));
    this.#isArmed = true;
    setImmediate(() => setImmediate(() => this.#giveUp(nowMs)));
  }

  #giveUp(byMs: number): void {
    for (let one = this.#oldest(); one && one.dueMs <= byMs; one = this.#oldest(one)) {
      one.isGivenUp = true;
      this.#fail(one, new RedisUnavailable('timeout', 'unknown', new Error(TIMED_OUT)));
    }
    this.#look();
  }

  #oldest(after?: Waiting): Waiting | undefined {
    let one = after ? after.next : this.#first;
    while (one?.isGivenUp) one = one.next;
    return one;
  }
}
