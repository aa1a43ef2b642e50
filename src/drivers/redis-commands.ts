// Commands as bytes (RESP2): each is written once, where it leaves from, and nothing is made for it
// on the way. What was written since the last `take` is one piece.

import { type Argument, countOf } from './redis-prepared.js';
import type { Script } from './scripts.js';

const SIZE = 64 * 1024;
/** A buffer that a large command has grown is not kept. */
const SIZE_KEPT_MAX = 1024 * 1024;
/** Up to here characters by themselves are cheaper than a call of the runtime. */
const SHORT = 20;
/** `$`, at most ten digits, and two line ends. */
const FRAME_BYTES = 16;
const [STAR, DOLLAR, CR, LF, ZERO] = [0x2a, 0x24, 0x0d, 0x0a, 0x30];
const ASCII_MAX = 0x7f;

export class CommandWriter {
  #bytes = Buffer.allocUnsafeSlow(SIZE);
  #at = 0;
  /** What every call of a script begins with, by its hash. */
  readonly #heads = new Map<string, string>();

  /** EVALSHA. */
  script({ sha }: Script, keys: readonly Argument[], args: readonly Argument[]): void {
    let head = this.#heads.get(sha);
    if (head === undefined) {
      head = `$7\r\nevalsha\r\n$${sha.length}\r\n${sha}\r\n`;
      this.#heads.set(sha, head);
    }
    const names = countOf(keys);
    this.#count(3 + names + countOf(args));
    this.#room(head.length);
    this.#at += this.#bytes.write(head, this.#at, 'latin1');
    this.#arg(`${names}`);
    this.#all(keys);
    this.#all(args);
  }

  plain(name: string, args: readonly string[]): void {
    this.#count(1 + args.length);
    this.#arg(name);
    this.#all(args);
  }

  /** What was written; stays as it is until `left`. */
  take(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** What was taken has been sent, or lies where it was taken from until it is. */
  left(isSent: boolean): void {
    this.#at = 0;
    if (!isSent || this.#bytes.length > SIZE_KEPT_MAX) this.#bytes = Buffer.allocUnsafeSlow(SIZE);
  }

  #count(parts: number): void {
    this.#room(FRAME_BYTES);
    this.#frame(STAR, parts);
  }

  #all(args: readonly Argument[]): void {
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]!;
      if (typeof arg === 'string') this.#arg(arg);
      else this.#copy(arg.bytes);
    }
  }

  #copy(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #arg(text: string): void {
    const length = text.length;
    if (length > SHORT) return this.#long(text);
    this.#room(SHORT + FRAME_BYTES);
    const start = this.#at;
    this.#frame(DOLLAR, length);
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < length; i++) {
      const char = text.charCodeAt(i);
      if (char > ASCII_MAX) {
        this.#at = start;
        return this.#long(text);
      }
      bytes[at++] = char;
    }
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.#at = at;
  }

  #long(text: string): void {
    const size = Buffer.byteLength(text);
    this.#room(size + FRAME_BYTES);
    this.#frame(DOLLAR, size);
    const bytes = this.#bytes;
    // In ASCII there is nothing to encode.
    bytes.write(text, this.#at, size === text.length ? 'latin1' : 'utf8');
    let at = this.#at + size;
    bytes[at++] = CR;
    bytes[at++] = LF;
    this.#at = at;
  }

  #frame(kind: number, count: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = kind;
    let unit = 1;
    while (unit * 10 <= count) unit *= 10;
    for (; unit >= 1; unit /= 10) bytes[this.#at++] = ZERO + (Math.floor(count / unit) % 10);
    bytes[this.#at++] = CR;
    bytes[this.#at++] = LF;
  }

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.#bytes.length + bytes));
    larger.set(this.take());
    this.#bytes = larger;
  }
}
