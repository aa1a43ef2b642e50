// What the sandbox is asked to do, read from the prompt itself: knobs are written `[[name=value]]`
// or `[[name]]` anywhere in the messages, the last of a name counts, unknown ones are text.

import type { CallBody } from '../../core/call.js';
import { isJsonObject, type Json } from '../../core/json.js';

export interface Script {
  /** Words of each answer; undefined: as many as the model says by itself. */
  tokens: number | undefined;
  /** Before the first byte. */
  firstMs: number;
  /** Between words. */
  delayMs: number;
  /** A pause once half of the words are out. */
  stallMs: number;
  /** Breaks the connection after so many words. */
  dieAfter: number | undefined;
  /** Answers with this error status instead. */
  fail: number | undefined;
  /** Calls the first tool. */
  tool: boolean;
  /** Tells no usage, whatever was asked. */
  noUsage: boolean;
  /** Ends the stream without a terminator. */
  noDone: boolean;
}

export interface Prompt {
  script: Script;
  /** What the last user said, without the knobs. */
  said: string;
  /** A word is a token here, and each message costs three more. */
  tokens: number;
}

const KNOB = /\[\[(\w+)(?:=(\d{1,9}))?\]\]/g;
const WAIT_MS_MAX = 600_000;
const TOKENS_MAX = 200_000;

export function readPrompt(body: CallBody): Prompt {
  const messages = Array.isArray(body.json.messages) ? body.json.messages : [];
  const knobs = new Map<string, number>();
  let said = '';
  let tokens = 3;
  for (const message of messages) {
    if (!isJsonObject(message)) continue;
    const text = textOf(message.content);
    for (const [, name, value] of text.matchAll(KNOB)) knobs.set(name!, Number(value ?? 1));
    if (message.role === 'user') said = text.replace(KNOB, '').trim();
    tokens += 3 + wordsOf(text).length;
  }
  return { script: scriptOf(knobs), said, tokens };
}

export function wordsOf(text: string): string[] {
  return text.match(/\S+/g) ?? [];
}

function scriptOf(knobs: ReadonlyMap<string, number>): Script {
  const upTo = (name: string, max: number) => Math.min(knobs.get(name) ?? 0, max);
  const fail = knobs.get('fail');
  return {
    tokens: knobs.has('tokens') ? upTo('tokens', TOKENS_MAX) : undefined,
    firstMs: upTo('first_ms', WAIT_MS_MAX),
    delayMs: upTo('delay_ms', WAIT_MS_MAX),
    stallMs: upTo('stall_ms', WAIT_MS_MAX),
    dieAfter: knobs.get('die_after'),
    fail: fail !== undefined && fail >= 400 && fail <= 599 ? fail : undefined,
    tool: knobs.has('tool'),
    noUsage: knobs.has('no_usage'),
    noDone: knobs.has('no_done'),
  };
}

function textOf(content: Json | undefined): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  const texts = content.map((part) => (isJsonObject(part) ? part.text : undefined));
  return texts.filter((text) => typeof text === 'string').join(' ');
}
