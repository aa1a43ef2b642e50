// The strict reader of the lane: a request's head in its plain form, or nothing. What it does not
// take as it stands is left to Node's parser, so two parsers never disagree on one message. Agents
// repeat their heads to the byte but for the length of the body: those are recognised, not read.

import type { HotDoors } from '../app.js';
import { type Said, saidIn } from '../headers.js';
import type { Limits } from '../limits.js';

export type HotDoor = NonNullable<ReturnType<HotDoors['get']>>;

export interface LaneHead {
  readonly door: HotDoor;
  readonly url: string;
  readonly path: string;
  readonly said: Said;
  /** Whether the client wants to keep the connection. */
  readonly keepAlive: boolean;
  /** Of the body. */
  readonly length: number;
  /** Of the head itself, with the empty line. */
  readonly bytes: number;
  /** Where the digits of the length are in it. */
  readonly lengthAt: number;
}

const TARGET = /^POST (\/[\w\-./]*)(\?[\w\-./?&=%+~:,;@!$*]*)? HTTP\/1\.1$/;
const NAME = /^[\w-]+$/;
const VALUE = /^[\x20-\x7e]*$/;
const HOST = /^[\w.\-:[\]]+$/;
const LENGTH = /^(?:0|[1-9]\d{0,8})$/;
const LENGTH_DIGITS_MAX = 9;
// With any of these the message is framed or passed on in another way than by its length alone.
const NOT_PLAIN = new Set([
  '__proto__',
  'expect',
  'http2-settings',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The head at the beginning of these bytes; undefined where it is not whole, or not plain. */
export function readHead(bytes: Buffer, doors: HotDoors, limits: Limits): LaneHead | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0 || end + 4 > limits.headerBytesMax) return undefined;
  const text = bytes.toString('latin1', 0, end + 2);
  const firstEnd = text.indexOf('\r\n');
  const target = TARGET.exec(text.slice(0, firstEnd));
  if (!target) return undefined;
  const [, path = '', query = ''] = target;
  const door = doors.get(path);
  if (!door || path.length + query.length > limits.urlBytesMax) return undefined;
  const headers = readLines(text, firstEnd + 2, limits.headersMax);
  if (!headers || !HOST.test(headers.named.host ?? '') || headers.lengthAt < 0) return undefined;
  const keepAlive = wantsKeepAlive(headers.named.connection);
  if (keepAlive === undefined) return undefined;
  return {
    door,
    url: path + query,
    path,
    said: saidIn(headers.named, headers.raw),
    keepAlive,
    length: Number(headers.named['content-length']),
    bytes: end + 4,
    lengthAt: headers.lengthAt,
  };
}

interface Lines {
  raw: string[];
  named: Record<string, string>;
  lengthAt: number;
}

function readLines(text: string, from: number, headersMax: number): Lines | undefined {
  const lines: Lines = { raw: [], named: {}, lengthAt: -1 };
  let at = from;
  while (at < text.length) {
    const end = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    if (colon < 0 || colon > end) return undefined;
    const name = text.slice(at, colon);
    const untrimmed = text.slice(colon + 1, end);
    if (!NAME.test(name) || !VALUE.test(untrimmed)) return undefined;
    const key = name.toLowerCase();
    // Of one that comes twice Node takes the first, or joins them, or makes a list.
    if (NOT_PLAIN.has(key) || key in lines.named) return undefined;
    const value = untrimmed.trim();
    if (key === 'content-length') {
      if (!LENGTH.test(value)) return undefined;
      lines.lengthAt = text.indexOf(value, colon + 1);
    }
    lines.named[key] = value;
    lines.raw.push(name, value);
    if (lines.raw.length > headersMax * 2) return undefined;
    at = end + 2;
  }
  return lines;
}

function wantsKeepAlive(connection: string | undefined): boolean | undefined {
  if (connection === undefined) return true;
  const word = connection.toLowerCase();
  if (word === 'keep-alive') return true;
  return word === 'close' ? false : undefined;
}

/** A head that came before on its connection, with its bytes. */
export class KnownHead {
  readonly #bytes: Buffer;
  readonly #digitsEnd: number;

  constructor(
    readonly head: LaneHead,
    bytes: Buffer,
  ) {
    this.#bytes = Buffer.from(bytes.subarray(0, head.bytes));
    this.#digitsEnd = head.lengthAt + String(head.length).length;
  }

  /** The same head, with its own length, at the beginning of these bytes; undefined if another. */
  match(bytes: Buffer): LaneHead | undefined {
    const { head } = this;
    const at = head.lengthAt;
    if (bytes.length < at + LENGTH_DIGITS_MAX) return undefined;
    if (this.#bytes.compare(bytes, 0, at, 0, at) !== 0) return undefined;
    let length = 0;
    let end = at;
    for (; end - at < LENGTH_DIGITS_MAX; end += 1) {
      const digit = bytes[end]! - 48;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const restLength = head.bytes - this.#digitsEnd;
    const isPlain = end > at && (bytes[at] !== 48 || end === at + 1);
    if (!isPlain || bytes.length < end + restLength) return undefined;
    if (this.#bytes.compare(bytes, end, end + restLength, this.#digitsEnd) !== 0) return undefined;
    if (length === head.length && end === this.#digitsEnd) return head;
    return { ...head, length, bytes: end + restLength };
  }
}
