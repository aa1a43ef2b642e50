// Reads replies (RESP2) from bytes as they come, split anywhere. Texts are decoded where they lie;
// only what is not whole yet is kept. What is no reply throws, for what follows cannot be told
// apart any more.

import { ReplyError } from './redis-errors.js';

/** A text, a whole number, nothing, an error, or a list of these. */
export type RedisReply = string | number | null | ReplyError | RedisReply[];

interface List {
  items: RedisReply[];
  size: number;
}

const [PLUS, MINUS, COLON, DOLLAR, STAR] = [0x2b, 0x2d, 0x3a, 0x24, 0x2a];
const [CR, LF, ZERO, NINE] = [0x0d, 0x0a, 0x30, 0x39];
/** Longer numbers would not be whole in JavaScript, and no length has them. */
const DIGITS_MAX = 16;
/** Redis' own bound of a text. */
const TEXT_BYTES_MAX = 512 * 1024 * 1024;
const ITEMS_MAX = 2 ** 24;

export class ReplyReader {
  readonly #told: (reply: RedisReply) => void;
  /** Of an item that is not whole: what came of it, and how much it takes at least. */
  #carried: Buffer[] = [];
  #carriedBytes = 0;
  #neededBytes = 0;
  /** Lists that are not whole, the outermost first. */
  readonly #lists: List[] = [];
  /** Behind the number or the line read last. */
  #after = 0;

  constructor(told: (reply: RedisReply) => void) {
    this.#told = told;
  }

  /** `came` may be used again afterwards. */
  read(came: Buffer): void {
    let bytes = came;
    if (this.#carriedBytes > 0) {
      this.#carry(came);
      if (this.#carriedBytes < this.#neededBytes) return;
      bytes = Buffer.concat(this.#carried);
      this.#carried = [];
      this.#carriedBytes = 0;
    }
    let at = 0;
    while (at < bytes.length) {
      const after = this.#item(bytes, at);
      if (after < 0) break;
      at = after;
    }
    if (at === bytes.length) return;
    this.#neededBytes -= at;
    this.#carry(bytes.subarray(at));
  }

  #carry(bytes: Buffer): void {
    this.#carried.push(Buffer.from(bytes));
    this.#carriedBytes += bytes.length;
  }

  /** Takes one item; answers where the next begins, or -1 while this one is not whole. */
  #item(bytes: Buffer, at: number): number {
    this.#neededBytes = 0;
    const kind = bytes[at];
    if (kind === PLUS || kind === MINUS) {
      const text = this.#line(bytes, at + 1);
      if (text === undefined) return -1;
      this.#tell(kind === PLUS ? text : new ReplyError(text));
      return this.#after;
    }
    if (kind !== DOLLAR && kind !== STAR && kind !== COLON) throw new Error('That is no reply.');
    const number = this.#number(bytes, at + 1);
    if (number === undefined) return -1;
    if (kind === COLON) this.#tell(number);
    else if (number === -1) this.#tell(null);
    else if (kind === DOLLAR) return this.#text(bytes, number);
    else this.#begin(number);
    return this.#after;
  }

  #text(bytes: Buffer, size: number): number {
    if (size < 0 || size > TEXT_BYTES_MAX) throw new Error('A text has no such length.');
    const from = this.#after;
    const end = from + size;
    if (end + 2 > bytes.length) {
      this.#neededBytes = end + 2;
      return -1;
    }
    if (bytes[end] !== CR || bytes[end + 1] !== LF) throw new Error('A text has no end.');
    this.#tell(bytes.toString('utf8', from, end));
    return end + 2;
  }

  #begin(size: number): void {
    if (size < 0 || size > ITEMS_MAX) throw new Error('A list has no such length.');
    if (size === 0) this.#tell([]);
    else this.#lists.push({ items: [], size });
  }

  #tell(reply: RedisReply): void {
    const lists = this.#lists;
    let whole = reply;
    for (;;) {
      const list = lists[lists.length - 1];
      if (!list) return this.#told(whole);
      list.items.push(whole);
      if (list.items.length < list.size) return;
      lists.pop();
      whole = list.items;
    }
  }

  #line(bytes: Buffer, from: number): string | undefined {
    const end = bytes.indexOf('\r\n', from, 'latin1');
    if (end < 0) return undefined;
    this.#after = end + 2;
    return bytes.toString('utf8', from, end);
  }

  #number(bytes: Buffer, from: number): number | undefined {
    const isNegative = bytes[from] === MINUS;
    const first = isNegative ? from + 1 : from;
    let at = first;
    let number = 0;
    for (; at < bytes.length && bytes[at] !== CR; at += 1) {
      const digit = bytes[at]!;
      if (digit < ZERO || digit > NINE || at - first >= DIGITS_MAX) {
        throw new Error('That is no number.');
      }
      // With the digit's code added first the sum would pass 2^53 and be rounded.
      number = number * 10 + (digit - ZERO);
    }
    if (at + 1 >= bytes.length) return undefined;
    if (at === first || bytes[at + 1] !== LF) throw new Error('A number has no end.');
    this.#after = at + 2;
    return isNegative ? -number : number;
  }
}
