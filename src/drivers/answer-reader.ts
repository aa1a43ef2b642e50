// Reads one HTTP/1.1 answer after another from what a connection brings, split anywhere (RFC 9112).
// It is strict: what two readers might frame differently is no answer. Body bytes are handed on as
// they lie in what came, without a copy.

import { NoAnswer, readAnswerHead } from './answer-head.js';

export interface AnswerUser {
  onHead(status: number, headers: Record<string, string>): void;
  /** Never while held. */
  onBody(bytes: Buffer): void;
}

const CR = 0x0d;
const LF = 0x0a;
const HEAD_END = '\r\n\r\n';
const LINE_BYTES_MAX = 4 * 1024;
const SIZE_DIGITS_MAX = 12;

type State =
  | 'head'
  /** A body of known length, or a chunk of it. */
  | 'body'
  | 'until close'
  | 'chunk size'
  | 'chunk end'
  | 'trailer'
  | 'done';

export class AnswerReader {
  /** Nothing is handed on while this is set; what is left of a read is kept. */
  held = false;
  /** How long the connection may be kept afterwards; 0: not at all. */
  keepMs = 0;
  #state: State = 'done';
  #user: AnswerUser | undefined;
  #chunked = false;
  #left = 0;
  /** Of a line that is not whole: what came of it; of a head likewise. */
  #carried: Buffer | undefined;
  #trailerBytes = 0;

  constructor(
    readonly headBytesMax: number,
    readonly keepAliveMs: number,
  ) {}

  /** The next bytes begin an answer for `user`. */
  begin(user: AnswerUser): void {
    this.#user = user;
    this.#state = 'head';
    this.#chunked = false;
    this.#carried = undefined;
    this.held = false;
    this.keepMs = 0;
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** Whether the end of the connection is the end of the answer. */
  get endsWithConnection(): boolean {
    return this.#state === 'until close';
  }

  /** No more is handed on. */
  stop(): void {
    this.#state = 'done';
    this.#user = undefined;
    this.#carried = undefined;
  }

  /**
   * Takes what came. Answers what it did not take, because it is held or the answer is over;
   * throws a `NoAnswer` at what is none.
   */
  read(came: Buffer): Buffer | undefined {
    let at = 0;
    let bytes = came;
    if (this.#carried) {
      bytes = Buffer.concat([this.#carried, came]);
      this.#carried = undefined;
    }
    while (at < bytes.length && !this.held && this.#state !== 'done') {
      const next = this.#step(bytes, at);
      if (next === undefined) {
        this.#carried = at === 0 ? bytes : bytes.subarray(at);
        return undefined;
      }
      at = next;
    }
    return at < bytes.length ? bytes.subarray(at) : undefined;
  }

  // Where to go on; undefined: more is needed than came.
  #step(bytes: Buffer, at: number): number | undefined {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes, at);
      case 'body':
        return this.#body(bytes, at);
      case 'until close':
        this.#user?.onBody(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      case 'chunk size':
        return this.#chunkSize(bytes, at);
      case 'chunk end':
        return this.#chunkEnd(bytes, at);
      case 'trailer':
        return this.#trailer(bytes, at);
      default:
        return bytes.length;
    }
  }

  #head(bytes: Buffer, at: number): number | undefined {
    const text = bytes.toString('latin1', at, at + this.headBytesMax);
    const end = text.indexOf(HEAD_END);
    if (end < 0) {
      if (text.length >= this.headBytesMax) throw new NoAnswer('its head is too long');
      if (!'HTTP/1.'.startsWith(text.slice(0, 7))) throw new NoAnswer('it does not begin as one');
      return undefined;
    }
    const { status, headers, length, keeps } = readAnswerHead(text.slice(0, end));
    const next = at + end + HEAD_END.length;
    // An interim answer; the one that counts follows.
    if (status < 200) return next;
    this.keepMs = keeps ? keepMsOf(headers['keep-alive'], this.keepAliveMs) : 0;
    this.#chunked = length === 'chunked';
    this.#left = typeof length === 'number' ? length : 0;
    if (length === 'chunked') this.#state = 'chunk size';
    else if (length === 'until close') this.#state = 'until close';
    else this.#state = length === 0 ? 'done' : 'body';
    this.#user?.onHead(status, headers);
    return next;
  }

  #body(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = this.#chunked ? 'chunk end' : 'done';
    this.#user?.onBody(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    return end;
  }

  #chunkSize(bytes: Buffer, at: number): number | undefined {
    let size = 0;
    let end = at;
    for (; end < bytes.length; end += 1) {
      const digit = hexDigit(bytes[end]!);
      if (digit < 0) break;
      size = size * 16 + digit;
    }
    if (end - at > SIZE_DIGITS_MAX) throw new NoAnswer('a chunk of it has no proper size');
    if (end === bytes.length) return undefined;
    if (end === at) throw new NoAnswer('a chunk of it has no size');
    const line = lineEnd(bytes, end);
    if (line === undefined) return undefined;
    if (line > end && !isExtension(bytes[end]!)) {
      throw new NoAnswer('a chunk of it has no proper size');
    }
    this.#left = size;
    this.#trailerBytes = 0;
    this.#state = size === 0 ? 'trailer' : 'body';
    return line + 2;
  }

  #chunkEnd(bytes: Buffer, at: number): number | undefined {
    if (at + 2 > bytes.length) return undefined;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) throw new NoAnswer('a chunk of it is too long');
    this.#state = 'chunk size';
    return at + 2;
  }

  #trailer(bytes: Buffer, at: number): number | undefined {
    const end = lineEnd(bytes, at);
    if (end === undefined) return undefined;
    this.#trailerBytes += end - at;
    if (this.#trailerBytes > this.headBytesMax) throw new NoAnswer('its trailer is too long');
    if (end === at) this.#state = 'done';
    return end + 2;
  }
}

// Where a line ends; undefined: not yet.
function lineEnd(bytes: Buffer, at: number): number | undefined {
  if (bytes[at] === CR && bytes[at + 1] === LF) return at;
  const end = bytes.indexOf('\r\n', at, 'latin1');
  const length = (end < 0 ? bytes.length : end) - at;
  if (length > LINE_BYTES_MAX) throw new NoAnswer('a line of it is too long');
  return end < 0 ? undefined : end;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function isExtension(byte: number): boolean {
  return byte === 0x3b || byte === 0x20 || byte === 0x09;
}

// A server closes at its time, and what is sent in that moment is lost: we give up a little sooner.
const EARLIER_MS = 2_000;

function keepMsOf(hint: string | undefined, mostMs: number): number {
  const seconds = hint === undefined ? undefined : /timeout\s*=\s*(\d{1,6})/i.exec(hint)?.[1];
  if (seconds === undefined) return mostMs;
  return Math.min(mostMs, Math.max(0, Number(seconds) * 1000 - EARLIER_MS));
}
