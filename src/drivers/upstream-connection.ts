// One connection to an upstream, dialled when first used: it writes a request, reads the answer,
// and does so again for as long as both sides keep it. One call has it at a time.

import type { Socket } from 'node:net';
import { NoAnswer } from './answer-head.js';
import { AnswerReader, type AnswerUser } from './answer-reader.js';

/** The call that has the connection. */
export interface ConnectionUser extends AnswerUser {
  /** The request is on the socket. */
  onWritten(): void;
  onDone(): void;
  onBroken(kind: BrokenKind, message: string): void;
}

export type BrokenKind = 'connect' | 'blocked' | 'reset' | 'protocol';

/** Dials; calls back once, in a later tick. The socket, unless nothing was dialled. */
export type Dial = (callback: (error: Error | null, socket?: Socket) => void) => Socket | undefined;

export interface ConnectionOptions {
  key: string;
  dial: Dial;
  /** Called when it cannot be used any more while nobody has it. */
  onLost(connection: Connection): void;
  headBytesMax: number;
  keepAliveMs: number;
}

// Below this it costs less to copy a body than to hand several pieces to the kernel.
const JOIN_BYTES_MAX = 64 * 1024;

export class Connection {
  readonly key: string;
  destroyed = false;
  readonly #options: ConnectionOptions;
  readonly #reader: AnswerReader;
  #socket: Socket | undefined;
  #isOpen = false;
  #user: ConnectionUser | undefined;
  /** What came while the reader was held. */
  #rest: Buffer | undefined;
  #reading = false;
  /** More came than was asked for: what follows cannot be told apart. */
  #spoilt = false;
  /** The upstream's end came while the reader was held, as it does with the last bytes by TLS. */
  #endedHeld = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #idleMs = 0;

  constructor(options: ConnectionOptions) {
    this.key = options.key;
    this.#options = options;
    this.#reader = new AnswerReader(options.headBytesMax, options.keepAliveMs);
  }

  /** Writes the request, as soon as there is a socket; `user` is told all that becomes of it. */
  request(user: ConnectionUser, head: string, body: readonly Uint8Array[]): void {
    this.#user = user;
    this.#reader.begin(user);
    if (this.#socket && this.#isOpen) {
      this.#write(this.#socket, user, head, body);
      return;
    }
    this.#socket = this.#options.dial((error, socket) => {
      if (this.destroyed) return;
      if (error || !socket) this.#dialFailed(error);
      else {
        this.#opened(socket);
        this.#write(socket, user, head, body);
      }
    });
  }

  hold(): void {
    if (this.#reader.held) return;
    this.#reader.held = true;
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#reader.held) return;
    this.#reader.held = false;
    // Inside a read nothing is entered again: it goes on by itself.
    if (this.#reading) {
      this.#socket?.resume();
      return;
    }
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest) this.#read(rest);
    else this.#conclude();
    if (this.#reader.held) return;
    if (this.#endedHeld) this.#ended();
    else this.#socket?.resume();
  }

  /** Takes it back from its call, whose answer was read to its end; false: it is of no more use. */
  keep(): boolean {
    this.#user = undefined;
    const keepMs = this.#spoilt || this.#socket?.writableLength !== 0 ? 0 : this.#reader.keepMs;
    if (keepMs <= 0 || this.destroyed || this.#endedHeld) return false;
    // A call in between leaves the timer as it is: it is set anew more cheaply than made anew.
    if (this.#idleTimer && keepMs === this.#idleMs) this.#idleTimer.refresh();
    else {
      clearTimeout(this.#idleTimer);
      this.#idleMs = keepMs;
      this.#idleTimer = setTimeout(() => this.#idleEnded(), keepMs).unref();
    }
    return true;
  }

  destroy(): void {
    this.destroyed = true;
    this.#user = undefined;
    this.#rest = undefined;
    this.#reader.stop();
    clearTimeout(this.#idleTimer);
    this.#socket?.destroy();
  }

  #idleEnded(): void {
    if (this.#user === undefined) this.#lose();
  }

  #opened(socket: Socket): void {
    this.#socket = socket;
    this.#isOpen = true;
    socket.on('data', (bytes: Buffer) => this.#came(bytes));
    socket.on('end', () => this.#ended());
    socket.on('error', (error) => this.#broken('reset', error.message));
    socket.on('close', () => {
      if (!this.#endedHeld) this.#broken('reset', 'the connection was closed');
    });
    if (this.#reader.held) socket.pause();
  }

  #dialFailed(error: Error | null): void {
    const isBlocked = (error as NodeJS.ErrnoException | null)?.code === 'PURSER_BLOCKED';
    this.#broken(isBlocked ? 'blocked' : 'connect', error?.message ?? 'no connection');
  }

  #write(socket: Socket, user: ConnectionUser, head: string, body: readonly Uint8Array[]): void {
    let bytes = head.length;
    for (const part of body) bytes += part.length;
    if (bytes <= JOIN_BYTES_MAX) {
      const joined = Buffer.allocUnsafe(bytes);
      let at = joined.write(head, 'latin1');
      for (const part of body) {
        joined.set(part, at);
        at += part.length;
      }
      socket.write(joined);
    } else {
      socket.cork();
      socket.write(head, 'latin1');
      for (const part of body) socket.write(part);
      socket.uncork();
    }
    user.onWritten();
  }

  #came(bytes: Buffer): void {
    if (this.#user === undefined) return this.#lose();
    this.#read(this.#rest ? Buffer.concat([this.#rest, bytes]) : bytes);
  }

  #read(bytes: Buffer): void {
    this.#reading = true;
    try {
      this.#rest = this.#reader.read(bytes);
    } catch (error) {
      // Also what the call itself threw: it ends that call, and no other.
      this.#broken('protocol', error instanceof Error ? error.message : String(error));
      if (!(error instanceof NoAnswer)) this.#reader.stop();
      return;
    } finally {
      this.#reading = false;
    }
    this.#conclude();
  }

  #conclude(): void {
    const user = this.#user;
    if (user === undefined || !this.#reader.isDone || this.#reader.held) return;
    this.#spoilt = this.#rest !== undefined;
    this.#user = undefined;
    user.onDone();
  }

  #ended(): void {
    this.#endedHeld = this.#reader.held;
    // What came before it is read first.
    if (this.#endedHeld) return;
    const user = this.#user;
    if (user !== undefined && this.#reader.endsWithConnection) {
      this.#user = undefined;
      this.#reader.stop();
      user.onDone();
    } else this.#broken('reset', 'the upstream closed the connection');
  }

  #broken(kind: BrokenKind, message: string): void {
    const user = this.#user;
    if (user === undefined) return this.#lose();
    this.destroy();
    user.onBroken(kind, message);
  }

  #lose(): void {
    if (this.destroyed) return;
    this.destroy();
    this.#options.onLost(this);
  }
}
