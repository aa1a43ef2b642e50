// One scan over the bytes of valid JSON: where the members of its outermost object lie, how deep
// it nests, how many members there are in all. Strings are skipped, never decoded.

import type { MemberSpan } from '../../core/call.js';
import { isJsonObject, type Json, parseJson } from '../../core/json.js';

export interface JsonSpans {
  /** In the order of the text; a key that comes twice has its last span. */
  members: ReadonlyMap<string, MemberSpan>;
  depth: number;
  /** Members of all objects together. */
  memberCount: number;
}

const QUOTE = 34;
const BACKSLASH = 92;
const COLON = 58;
const COMMA = 44;
const SHORT_STRING = 48;

/** `raw` from `from` must be valid JSON whose first value is an object. */
export function scanMembers(raw: Buffer, from = 0): JsonSpans {
  const members = new Map<string, MemberSpan>();
  let depth = 0;
  let deepest = 0;
  let memberCount = 0;
  let key: [start: number, end: number] | undefined;
  let valueStart = -1;
  let lastEnd = from;
  const close = () => {
    if (!key || valueStart === -1) return;
    members.set(keyOf(raw, key), { keyStart: key[0], valueStart, valueEnd: lastEnd });
    key = undefined;
    valueStart = -1;
  };
  for (let at = from; at < raw.length; at++) {
    const byte = raw[at]!;
    if (byte <= 32) continue;
    if (depth === 1 && key && valueStart === -1 && byte !== COLON) valueStart = at;
    if (byte === QUOTE) {
      const end = stringEnd(raw, at + 1) + 1;
      if (depth === 1 && !key) key = [at, end];
      at = end - 1;
    } else if (byte === COLON) {
      memberCount += 1;
      continue;
    } else if ((byte | 0x20) === 0x7b) {
      depth += 1;
      if (depth > deepest) deepest = depth;
    } else if ((byte | 0x20) === 0x7d) {
      if (depth === 1) close();
      depth -= 1;
      if (depth === 0) break;
    } else if (byte === COMMA) {
      if (depth === 1) close();
      continue;
    }
    lastEnd = at + 1;
  }
  return { members, depth: deepest, memberCount };
}

// Where the quote is that ends the string whose first byte is at `from`. Long strings are left to
// the native search; a quote after an odd number of backslashes is an escaped one.
function stringEnd(raw: Buffer, from: number): number {
  const near = Math.min(from + SHORT_STRING, raw.length);
  for (let at = from; at < near; at++) {
    const byte = raw[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) return farEnd(raw, from, at);
  }
  return farEnd(raw, from, near);
}

function farEnd(raw: Buffer, from: number, at: number): number {
  let quote = raw.indexOf(QUOTE, at);
  while (quote !== -1) {
    let first = quote;
    while (first > from && raw[first - 1] === BACKSLASH) first -= 1;
    if ((quote - first) % 2 === 0) return quote;
    quote = raw.indexOf(QUOTE, quote + 1);
  }
  return raw.length;
}

function keyOf(raw: Buffer, [start, end]: [number, number]): string {
  const text = raw.toString('utf8', start, end);
  return text.includes('\\') ? String(parseJson(text)) : text.slice(1, -1);
}

/** How many members `value` has in all its objects, where of equal keys only one has survived. */
export function countMembers(value: Json): number {
  let count = 0;
  const open: Json[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Array.isArray(next)) {
      for (const item of next) if (typeof item === 'object') open.push(item);
    } else if (isJsonObject(next)) {
      for (const key of Object.keys(next)) {
        count += 1;
        const item = next[key];
        if (typeof item === 'object') open.push(item);
      }
    }
  }
  return count;
}

/** The first key that comes twice in one object of valid JSON text; for the refusal's words. */
export function findDuplicateKey(text: string): string | undefined {
  const open: (Set<string> | null)[] = [];
  for (const token of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/gs)) {
    const [found, colon] = token;
    if (found === '{') open.push(new Set());
    else if (found === '[') open.push(null);
    else if (found === '}' || found === ']') open.pop();
    else if (colon !== undefined) {
      const key = String(parseJson(found.slice(0, found.lastIndexOf('"') + 1)));
      const keys = open.at(-1);
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
  }
  return undefined;
}
