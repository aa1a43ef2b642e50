// The head of an answer as text, with what Node's server would add to it: date, connection and
// framing. A value that could break out of its line is a bug of ours and fails as it does in Node.

import { STATUS_CODES } from 'node:http';
import type { Clock } from '../../../core/clock.js';
import { isHeaderName, isHeaderValue } from '../../../core/header-text.js';

const BODILESS = new Set([204, 304]);

export class AnswerHeads {
  readonly #clock: Clock;
  readonly #keepAlive: string;
  readonly #lines = new Map<number, string>();
  #second = 0;
  #date = '';

  constructor(clock: Clock, keepAliveMs: number) {
    this.#clock = clock;
    const seconds = Math.floor(keepAliveMs / 1000);
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n`;
  }

  /**
   * `lines`: more headers, which are lines already. `closes`: the connection ends with this answer.
   * `chunked`: its length is not known.
   */
  text(
    status: number,
    headers: Record<string, string>,
    lines: string,
    closes: boolean,
    chunked: boolean,
  ): string {
    let text = this.#line(status) + lines;
    for (const name in headers) {
      const value = headers[name]!;
      if (!isName(name) || !isHeaderValue(value)) {
        throw new TypeError(`The header ${JSON.stringify(name)} cannot be sent.`);
      }
      text += `${name}: ${value}\r\n`;
    }
    text += this.#dateLine();
    if (headers.connection === undefined)
      text += closes ? 'Connection: close\r\n' : this.#keepAlive;
    return chunked ? `${text}Transfer-Encoding: chunked\r\n\r\n` : `${text}\r\n`;
  }

  #line(status: number): string {
    const known = this.#lines.get(status);
    if (known !== undefined) return known;
    const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n`;
    this.#lines.set(status, line);
    return line;
  }

  #dateLine(): string {
    const nowMs = this.#clock.nowMs();
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = `Date: ${new Date(nowMs).toUTCString()}\r\n`;
    }
    return this.#date;
  }
}

const NAMES_MAX = 1_000;
const names = new Set<string>();

// The same few names are sent again and again.
function isName(name: string): boolean {
  if (names.has(name)) return true;
  if (!isHeaderName(name)) return false;
  if (names.size < NAMES_MAX) names.add(name);
  return true;
}

/** Whether an answer of this status has no body, whatever is written to it. */
export function isBodiless(status: number): boolean {
  return BODILESS.has(status);
}
