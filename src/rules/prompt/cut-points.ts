// Where a text may be cut: after a line's end, never inside a code fence, a JSON value or a tool
// call that is written in tags. Finer places, for when nothing else helps, keep out of them too,
// and split no surrogate pair.

import { jsonValues, type Span } from './json-values.js';
import { PAUSE, type Steps } from './slot.js';

const FENCE = /^ {0,3}(`{3,}|~{3,})([^\n]*)(?:\n|$)/gm;
const TAG = /<(tool_calls?|tool_use|tool_results?|tool_response|function_calls?|invoke)\b[^<>]*>/g;
const LINES_EACH = 4_096;
/**
 * Text without spaces is cut after so many units, if as many follow. A word's beginning may have
 * more tokens than the word: cuts that are near each other would make a longer text a cheaper one.
 */
const RUN_UNITS = 16;

/** Parts that stand or go as one, in order and apart from each other. */
export function* solidSpans(text: string): Steps<Span[]> {
  const spans = [...fences(text), ...taggedCalls(text)];
  yield PAUSE;
  spans.push(...(yield* jsonValues(text)));
  spans.sort((left, right) => left.start - right.start || right.end - left.end);
  const apart: Span[] = [];
  for (const span of spans) {
    const last = apart.at(-1);
    if (last === undefined || span.start >= last.end) apart.push({ ...span });
    else if (span.end > last.end) last.end = span.end;
  }
  return apart;
}

/** Offsets right after a line break; neither 0 nor the text's end. */
export function* lineCuts(text: string, spans: readonly Span[]): Steps<number[]> {
  const cuts: number[] = [];
  let next = 0;
  let count = 0;
  for (let at = text.indexOf('\n') + 1; at > 0 && at < text.length; at = afterBreak(text, at)) {
    while (next < spans.length && spans[next]!.end <= at) next += 1;
    if (!(at > (spans[next]?.start ?? text.length))) cuts.push(at);
    count += 1;
    if (count % LINES_EACH === 0) yield PAUSE;
  }
  return cuts;
}

function afterBreak(text: string, from: number): number {
  return text.indexOf('\n', from) + 1;
}

/** Places before `end`: before white space, and in long words; at least one unit is kept. */
export function* fineCuts(text: string, spans: readonly Span[], end: number): Steps<number[]> {
  const cuts: number[] = [];
  let next = 0;
  let last = 0;
  for (let at = 1; at < end; at += 1) {
    if (at % 16_384 === 0) yield PAUSE;
    while (next < spans.length && spans[next]!.end <= at) next += 1;
    const solid = spans[next]?.start ?? text.length;
    if (at > solid) continue;
    if (at !== solid && !endsWord(text, at) && !isInRun(text, last, at, Math.min(solid, end))) {
      continue;
    }
    cuts.push(at);
    last = at;
  }
  return cuts;
}

function endsWord(text: string, at: number): boolean {
  return isSpace(text.charCodeAt(at)) && !isSpace(text.charCodeAt(at - 1));
}

function isInRun(text: string, last: number, at: number, end: number): boolean {
  if (at - last < RUN_UNITS || at + RUN_UNITS > end) return false;
  const code = text.charCodeAt(at);
  if (code >= 0xdc00 && code <= 0xdfff) return false;
  for (let ahead = at; ahead < at + RUN_UNITS; ahead += 1) {
    if (isSpace(text.charCodeAt(ahead))) return false;
  }
  return true;
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

function fences(text: string): Span[] {
  const spans: Span[] = [];
  if (!text.includes('```') && !text.includes('~~~')) return spans;
  let open: { start: number; mark: string } | undefined;
  for (const match of text.matchAll(FENCE)) {
    const mark = match[1]!;
    const rest = match[2]!;
    const end = match.index + match[0].length;
    if (open === undefined) {
      // A backtick in the rest of the line makes it code inside a sentence.
      if (mark[0] === '~' || !rest.includes('`')) open = { start: match.index, mark };
    } else if (mark.startsWith(open.mark) && rest.trim() === '') {
      spans.push({ start: open.start, end });
      open = undefined;
    }
  }
  if (open !== undefined) spans.push({ start: open.start, end: text.length });
  return spans;
}

function taggedCalls(text: string): Span[] {
  const spans: Span[] = [];
  const unclosed = new Set<string>();
  let last = 0;
  for (const match of text.matchAll(TAG)) {
    const name = match[1]!;
    if (match.index < last || unclosed.has(name)) continue;
    const closing = `</${name}>`;
    const at = text.indexOf(closing, match.index);
    if (at === -1) unclosed.add(name);
    else {
      last = at + closing.length;
      spans.push({ start: match.index, end: last });
    }
  }
  return spans;
}
