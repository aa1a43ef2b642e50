// Where objects and arrays of JSON stand in a text that may be anything. One pass: brackets that
// turn out to hold no JSON are given up where that shows, and what was whole inside them is kept.
// Then a quote in them may have been no string's begin: what lies after it is read again, if near.

import { PAUSE, type Steps } from './slot.js';

export interface Span {
  start: number;
  end: number;
}

const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/y;
const BRACKET = /[[{]/g;
const PAUSE_EVERY = 32_768;
/** Tokens between pauses: what is read again must not hold the loop either. */
const READS_EACH = 8_192;
/** How far is gone back at the most, so that no text costs more than so many readings of it. */
const BACK_UNITS = 256;

/** Deeper is not looked into: no body may be nested like that. */
const DEPTH_MAX = 256;

/** What may come next inside a container. */
type Next = 'value' | 'value or end' | 'key' | 'key or end' | 'colon' | 'comma or end';

/** The outermost containers that are whole JSON, in order. */
export function* jsonValues(text: string): Steps<Span[]> {
  const reader = new ContainerReader(text);
  let reads = 0;
  let pauseAt = PAUSE_EVERY;
  while (reader.read()) {
    reads += 1;
    if (reader.at < pauseAt && reads % READS_EACH !== 0) continue;
    pauseAt = reader.at + PAUSE_EVERY;
    yield PAUSE;
  }
  return reader.spans;
}

class ContainerReader {
  readonly spans: Span[] = [];
  at = 0;
  readonly #text: string;
  readonly #open: { start: number; isObject: boolean }[] = [];
  #next: Next = 'value';
  #inString = false;
  /** Right after the first and the last quote of the outermost container under way. */
  #firstString = -1;
  #lastString = -1;

  constructor(text: string) {
    this.#text = text;
  }

  /** Reads one token, or a part of a long string; false at the end of the text. */
  read(): boolean {
    const text = this.#text;
    if (this.at >= text.length) return false;
    if (this.#inString) this.#readString();
    else if (this.#open.length === 0) this.#seek();
    else this.#readToken(text.charCodeAt(this.at));
    return true;
  }

  #seek(): void {
    BRACKET.lastIndex = this.at;
    const found = BRACKET.exec(this.#text);
    this.at = found === null ? this.#text.length : found.index;
    if (found === null) return;
    this.#firstString = -1;
    this.#push(found[0] === '{');
  }

  #push(isObject: boolean): void {
    if (this.#open.length === DEPTH_MAX) this.#open.length = 0;
    this.#open.push({ start: this.at, isObject });
    this.#next = isObject ? 'key or end' : 'value or end';
    this.at += 1;
  }

  #readToken(code: number): void {
    if (code === 32 || code === 10 || code === 13 || code === 9) this.at += 1;
    else if (code === 34) this.#openString();
    else if (code === 123 || code === 91) {
      if (this.#wantsValue()) this.#push(code === 123);
      else this.#giveUp();
    } else if (code === 125 || code === 93) this.#close(code === 125);
    else if (code === 58 && this.#next === 'colon') this.#pass('value');
    else if (code === 44 && this.#next === 'comma or end') {
      this.#pass(this.#open.at(-1)!.isObject ? 'key' : 'value');
    } else this.#readScalar();
  }

  #pass(next: Next): void {
    this.#next = next;
    this.at += 1;
  }

  #wantsValue(): boolean {
    return this.#next === 'value' || this.#next === 'value or end';
  }

  #openString(): void {
    const isKey = this.#next === 'key' || this.#next === 'key or end';
    if (!isKey && !this.#wantsValue()) this.#giveUp();
    else {
      this.#inString = true;
      this.#lastString = this.at + 1;
      if (this.#firstString === -1) this.#firstString = this.#lastString;
      this.#pass(isKey ? 'colon' : 'comma or end');
    }
  }

  // A string has no line breaks, so that a lone quote in prose is soon given up.
  #readString(): void {
    const text = this.#text;
    const stop = Math.min(text.length, this.at + PAUSE_EVERY);
    while (this.at < stop) {
      const code = text.charCodeAt(this.at);
      if (code < 32 || code === 34) {
        this.#inString = false;
        if (code === 34) this.at += 1;
        else this.#giveUp(this.#lastString);
        return;
      }
      this.at += code === 92 ? 2 : 1;
    }
  }

  #readScalar(): void {
    SCALAR.lastIndex = this.at;
    const found = this.#wantsValue() ? SCALAR.exec(this.#text) : null;
    if (found === null) this.#giveUp();
    else {
      this.at += found[0].length;
      this.#next = 'comma or end';
    }
  }

  #close(isObject: boolean): void {
    const opened = this.#open.at(-1)!;
    const empty = this.#next === (isObject ? 'key or end' : 'value or end');
    if (opened.isObject !== isObject || (!empty && this.#next !== 'comma or end')) {
      this.#giveUp();
      return;
    }
    this.#open.pop();
    while ((this.spans.at(-1)?.start ?? -1) > opened.start) this.spans.pop();
    this.#pass('comma or end');
    this.spans.push({ start: opened.start, end: this.at });
  }

  // The character that does not fit may itself begin a value, so it is read again. `string` is
  // where one began that has no end: no other quote follows on its line, so going back is cheap.
  #giveUp(string?: number): void {
    this.#open.length = 0;
    const first = this.#firstString;
    const near = first !== -1 && this.at - first <= BACK_UNITS;
    const back = near ? first : string;
    if (back !== undefined) {
      while ((this.spans.at(-1)?.start ?? -1) >= back) this.spans.pop();
      this.at = back;
      return;
    }
    const code = this.#text.charCodeAt(this.at);
    if (code !== 123 && code !== 91) this.at += 1;
  }
}
