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
const QUOTE = 34;
const BACKSLASH = 92;

interface Template {
  head: string;
  /** Between the text and the padding; undefined where there is no padding. */
  middle: string | undefined;
  tail: string;
}

/** The text of an event: undefined where no template fits. */
export type TemplateText = string | undefined;

export class TemplateReader {
  readonly #templates: Template[] = [];
  #credits = CREDITS_FIRST;

  /** `block` is the event's whole block, one character a byte. */
  read(block: string): TemplateText {
    const templates = this.#templates;
    for (let i = 0; i < templates.length; i++) {
      const text = match(templates[i]!, block);
      if (text === undefined) continue;
      if (this.#credits < CREDITS_MAX) this.#credits += 1;
      if (i > 0) templates.unshift(...templates.splice(i, 1));
      return text;
    }
    return undefined;
  }

  /** Learns from an event that the slow path has read. */
  learn(block: string, event: JsonObject): void {
    if (this.#credits === 0 || !block.startsWith('data:')) return;
    const template = templateOf(block, event);
    if (!template) return;
    this.#credits -= 1;
    this.#templates.unshift(template);
    this.#templates.length = Math.min(this.#templates.length, TEMPLATES_MAX);
  }
}

function match(template: Template, block: string): TemplateText {
  const { head, middle, tail } = template;
  if (!block.startsWith(head)) return undefined;
  const end = stringEnd(block, head.length);
  if (end === -1) return undefined;
  let at = end;
  if (middle !== undefined) {
    if (!block.startsWith(middle, at)) return undefined;
    at += middle.length;
    const paddingEnd = plainEnd(block, at);
    if (paddingEnd === -1) return undefined;
    at = paddingEnd;
  }
  if (block.length - at !== tail.length || !block.endsWith(tail)) return undefined;
  return decode(block, head.length, end);
}

// Where the JSON string ends that begins before `from`; -1 if it is not one.
function stringEnd(block: string, from: number): number {
  for (let at = from; at < block.length; at++) {
    const code = block.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at += 1;
    else if (code < 32) return -1;
  }
  return -1;
}

function plainEnd(block: string, from: number): number {
  for (let at = from; at < block.length; at++) {
    const code = block.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH || code < 32) return -1;
  }
  return -1;
}

function decode(block: string, from: number, to: number): TemplateText {
  let plain = true;
  let ascii = true;
  for (let at = from; at < to; at++) {
    const code = block.charCodeAt(at);
    if (code > 127) ascii = false;
    else if (code === BACKSLASH) plain = false;
  }
  const raw = block.slice(from, to);
  const text = ascii ? raw : Buffer.from(raw, 'latin1').toString('utf8');
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
    const template: Template = {
      head: block.slice(0, text.start),
      middle: padding && block.slice(text.end, padding.start),
      tail: block.slice(padding?.end ?? text.end),
    };
    if (isProven(template, member)) return template;
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
  const end = stringEnd(block, start);
  return end === -1 ? undefined : { start, end };
}

function isProven({ head, middle, tail }: Template, member: string): boolean {
  const [textMark, paddingMark] = ['text\u0001', 'padding\u0001'];
  const filled =
    middle === undefined
      ? `${head}text\\u0001${tail}`
      : `${head}text\\u0001${middle}padding\\u0001${tail}`;
  const line = /^data: ?([^\r\n]*)(?:\r\n\r\n|\n\n|\r\r)$/.exec(filled);
  const event = line ? parseJson(Buffer.from(line[1]!, 'latin1').toString('utf8')) : undefined;
  if (!isJsonObject(event) || !Array.isArray(event.choices)) return false;
  const choice = event.choices[0];
  // Where `choices` were given twice, the last of them is what a parser sees.
  if (event.choices.length !== 1) return false;
  if (!isJsonObject(choice) || !isJsonObject(choice.delta)) return false;
  const isPadding = middle === undefined || event.obfuscation === paddingMark;
  return isPadding && choice.delta[member] === textMark && outputText([choice]) === textMark;
}
