// The head of an HTTP/1.1 answer (RFC 9112): its status, its headers, and how its body is framed.
// Bare line ends, folded lines and contradictory framing are refused, not guessed at.

import { isHeaderName, isHeaderValue } from '../core/header-text.js';

export interface AnswerHead {
  status: number;
  /** Names in lower case; of a header that comes more than once, the values joined. */
  headers: Record<string, string>;
  /** Bytes of the body, or what tells its end. */
  length: number | 'chunked' | 'until close';
  /** Whether another request may follow on the connection. */
  keeps: boolean;
}

const STATUS = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const LENGTH = /^\d{1,15}$/;
const CLOSE = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;
const NAMES_MAX = 512;

// Providers send the same few names again and again.
const names = new Map<string, string>();

// With nothing in its prototypes, so that no name is there already. One that is made by
// `Object.create(null)` would be a table, which takes several times as long to fill and to read.
class Headers {
  [name: string]: string;
}
Reflect.deleteProperty(Headers.prototype, 'constructor');
Object.setPrototypeOf(Headers.prototype, null);

/** What came is no HTTP/1.1 answer. */
export class NoAnswer extends Error {
  override name = 'NoAnswer';
}

/** `text`: up to, and without, the empty line. Throws a `NoAnswer`. */
export function readAnswerHead(text: string): AnswerHead {
  let end = text.indexOf('\r\n');
  const first = end < 0 ? text : text.slice(0, end);
  const found = STATUS.exec(first);
  if (!found) throw new NoAnswer('its first line is none');
  const status = Number(found[2]);
  if (status === 101) throw new NoAnswer('it changes the protocol');
  const headers: Record<string, string> = new Headers();
  while (end >= 0) {
    const start = end + 2;
    end = text.indexOf('\r\n', start);
    addLine(headers, text, start, end < 0 ? text.length : end);
  }
  const length = framing(status, headers, found[1] === '1');
  const connection = headers.connection;
  const closes = connection !== undefined && CLOSE.test(connection);
  return {
    status,
    headers,
    length,
    keeps: found[1] === '1' && !closes && length !== 'until close',
  };
}

function addLine(headers: Record<string, string>, text: string, start: number, end: number): void {
  const colon = text.indexOf(':', start);
  if (colon < 0 || colon >= end) throw new NoAnswer('a line of its head is no header');
  const name = lowerCase(text.slice(start, colon));
  const value = trimmed(text, colon + 1, end);
  if (!isHeaderValue(value)) throw new NoAnswer(`its header ${name} has control characters`);
  const known = headers[name];
  headers[name] = known === undefined ? value : `${known}, ${value}`;
}

// Of spaces and tabs only: any other control character is to be seen.
function trimmed(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function lowerCase(name: string): string {
  const known = names.get(name);
  if (known !== undefined) return known;
  if (!isHeaderName(name)) throw new NoAnswer('a header of it has no proper name');
  const lower = name.toLowerCase();
  if (names.size < NAMES_MAX) names.set(name, lower);
  return lower;
}

function framing(
  status: number,
  headers: Record<string, string>,
  isNew: boolean,
): AnswerHead['length'] {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (coding !== undefined) {
    if (length !== undefined || !isNew) throw new NoAnswer('its length is told in two ways');
    if (coding.toLowerCase() !== 'chunked') throw new NoAnswer(`its coding is ${coding}`);
  } else if (length !== undefined && !LENGTH.test(length)) {
    throw new NoAnswer('its length is no number');
  }
  if (status < 200 || status === 204 || status === 304) return 0;
  if (coding !== undefined) return 'chunked';
  return length === undefined ? 'until close' : Number(length);
}
