// The fast path for ordinary content deltas. Within one stream such events differ only inside one
// JSON string (and a padding one). So once an event has been parsed, the bytes around its text
// become a template, and the text of every event with the same bytes around it is known without
// parsing. That a hole is the text is proved when it is learned, by parsing the event with another
// string in it; so the fast path is exactly JSON.parse, or it does not apply.

import { isJsonObject, type JsonObject, parseJson } from '../../core/json.js';
import { outputText } from './chat-event.js';

const MEMBERS = ['content', 'reasoning_content', 'reasoning'] as const;
const TEMPLATES_MAX = 4;
const CREDITS_MAX = 16;
/** Hit templates pay for learning: a stream whose events all differ is soon only parsed. */
const CREDITS_FIRST = 4;
/** So many events on end that fit no template, and none will. */
const MISSES_MAX = 4;
const NONE: Template[] = [];
const QUOTE = 34;
const BACKSLASH = 92;

interface Template {
  /** All that stands around text and padding: a head, perhaps a middle, a tail. */
  bytes: Buffer;
  /** Where the head ends. */
  text: number;
  /** Where the middle ends; undefined where there is no padding. */
  padding: number | undefined;
}

export class TemplateReader {
  #templates: Template[] = NONE;
  #credits = CREDITS_FIRST;
  #misses = 0;

  /** The text of the event whose whole block lies in `bytes`; undefined where nothing fits. */
  read(bytes: Buffer, start: number, end: number): string | undefined {
    const templates = this.#templates;
    for (let i = 0; i < templates.length; i++) {
      const text = match(templates[i]!, bytes, start, end);
      if (text === undefined) continue;
      if (this.#credits < CREDITS_MAX) this.#credits += 1;
      this.#misses = 0;
      if (i > 0) templates.unshift(...templates.splice(i, 1));
      return text;
    }
    this.#misses += 1;
    if (this.#misses > MISSES_MAX && this.#credits === 0) this.#templates = NONE;
    return undefined;
  }

  /** Whether there is anything to learn for. */
  get learns(): boolean {
    return this.#credits > 0;
  }

  /** Learns from an event that was parsed. `block`: its block, one character a byte. */
  learn(block: string, event: JsonObject): void {
    if (this.#credits === 0 || !block.startsWith('data:')) return;
    const template = templateOf(block, event);
    if (!template) return;
    this.#credits -= 1;
    this.#templates = [template, ...this.#templates].slice(0, TEMPLATES_MAX);
  }
}

function match(
  { bytes: around, text: headEnd, padding }: Template,
  bytes: Buffer,
  start: number,
  end: number,
): string | undefined {
  if (!isAt(around, 0, headEnd, bytes, start, end)) return undefined;
  const from = start + headEnd;
  const to = stringEnd(bytes, from, end);
  if (to === -1) return undefined;
  let at = to;
  let tail = headEnd;
  if (padding !== undefined) {
    if (!isAt(around, tail, padding, bytes, at, end)) return undefined;
    at = plainEnd(bytes, at + padding - tail, end);
    if (at === -1) return undefined;
    tail = padding;
  }
  if (end - at !== around.length - tail) return undefined;
  return isAt(around, tail, around.length, bytes, at, end) ? decode(bytes, from, to) : undefined;
}

// Whether a part of `around` stands in `bytes` at `at`.
function isAt(
  around: Buffer,
  from: number,
  to: number,
  bytes: Buffer,
  at: number,
  end: number,
): boolean {
  const partEnd = at + to - from;
  return partEnd <= end && bytes.compare(around, from, to, at, partEnd) === 0;
}

// Where the JSON string ends that begins before `from`; -1 if it is not one.
function stringEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at += 1;
    else if (byte < 32) return -1;
  }
  return -1;
}

// The same for padding, which is never decoded: an escape in it might be a wrong one.
function plainEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < 32) return -1;
  }
  return -1;
}

function decode(bytes: Buffer, from: number, to: number): string | undefined {
  let plain = true;
  let ascii = true;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte > 127) ascii = false;
    else if (byte === BACKSLASH) plain = false;
  }
  const text = bytes.toString(ascii ? 'latin1' : 'utf8', from, to);
  if (plain) return text;
  const parsed = parseJson(`"${text}"`);
  return typeof parsed === 'string' ? parsed : undefined;
}

// An event is ordinary if one string is all the output it has, and nothing in it but that string
// matters to the meter. The caller has seen to usage, error and endings.
function templateOf(block: string, event: JsonObject): Template | undefined {
  const { choices } = event;
  if (!Array.isArray(choices) || choices.length !== 1) return undefined;
  const choice = choices[0];
  if (!isJsonObject(choice) || !isJsonObject(choice.delta)) return undefined;
  const delta = choice.delta;
  for (const member of MEMBERS) {
    const hole = delta[member];
    if (typeof hole !== 'string' || hole === '' || hole !== outputText([choice])) continue;
    const text = holeOf(block, member, 0);
    if (!text) continue;
    const padding = holeOf(block, 'obfuscation', text.end);
    const parts = [
      block.slice(0, text.start),
      padding && block.slice(text.end, padding.start),
      block.slice(padding?.end ?? text.end),
    ] as const;
    if (!isProven(parts, member)) continue;
    const [head, middle, tail] = parts;
    return {
      bytes: ownBytes(head + (middle ?? '') + tail),
      text: head.length,
      padding: middle === undefined ? undefined : head.length + middle.length,
    };
  }
  return undefined;
}

interface Hole {
  start: number;
  end: number;
}

function holeOf(block: string, member: string, from: number): Hole | undefined {
  const key = `"${member}":"`;
  const at = block.indexOf(key, from);
  if (at === -1) return undefined;
  const start = at + key.length;
  const length = stringEnd(latin1(block.slice(start)), 0, block.length - start);
  return length === -1 ? undefined : { start, end: start + length };
}

// A template lives as long as its stream: cut from a pool it would keep eight kilobytes alive.
function ownBytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(text.length);
  bytes.write(text, 'latin1');
  return bytes;
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

type Parts = readonly [head: string, middle: string | undefined, tail: string];

function isProven([head, middle, tail]: Parts, member: string): boolean {
  const [textMark, paddingMark] = ['text\u0001', 'padding\u0001'];
  const filled =
    middle === undefined
      ? `${head}text\\u0001${tail}`
      : `${head}text\\u0001${middle}padding\\u0001${tail}`;
  const line = /^data: ?([^\r\n]*)(?:\r\n\r\n|\n\n|\r\r)$/.exec(filled);
  const event = line ? parseJson(latin1(line[1]!).toString('utf8')) : undefined;
  // Where `choices` were given twice, the last of them is what a parser sees.
  if (!isJsonObject(event) || !Array.isArray(event.choices) || event.choices.length !== 1) {
    return false;
  }
  const [choice] = event.choices;
  if (!isJsonObject(choice) || !isJsonObject(choice.delta)) return false;
  const isPadding = middle === undefined || event.obfuscation === paddingMark;
  return isPadding && choice.delta[member] === textMark && outputText([choice]) === textMark;
}
