// Bytes of a client into a JSON object whose members' places are known, or a refusal. What an
// upstream could read differently than we did (duplicate keys, bad UTF-8) is refused.

import { isAscii, isUtf8, transcode } from 'node:buffer';
import type { MemberSpan } from '../../core/call.js';
import { type Refused, refuse } from '../../core/errors.js';
import { isJsonObject, type JsonObject, parseJson } from '../../core/json.js';
import { countMembers, findDuplicateKey, scanMembers } from './json-spans.js';

const DEPTH_MAX = 64;
const LARGE_BYTES = 16_384;

export interface JsonBody {
  json: JsonObject;
  members: ReadonlyMap<string, MemberSpan>;
}

export function readJsonBody(raw: Buffer): JsonBody | Refused {
  if (!isUtf8(raw)) return refuse('invalid_encoding', 'The body is not valid UTF-8.');
  const text = textOf(raw);
  if (text.startsWith('\ufeff')) {
    return refuse('invalid_json', 'The body begins with a byte order mark; send it without one.');
  }
  const json = parseJson(text);
  if (json === undefined) return refuse('invalid_json', 'The body is not valid JSON.');
  if (!isJsonObject(json)) return refuse('invalid_json', 'The body must be a JSON object.');
  const { members, depth, memberCount } = scanMembers(raw);
  if (depth > DEPTH_MAX) {
    return refuse('too_deep', `The body is nested ${depth} deep; ${DEPTH_MAX} is the most.`);
  }
  if (memberCount !== countMembers(json)) {
    const key = findDuplicateKey(text) ?? '';
    const shown = key.slice(0, 100);
    return refuse('duplicate_key', `The key ${JSON.stringify(shown)} comes twice in one object.`, {
      param: shown,
    });
  }
  return { json, members };
}

// Of valid UTF-8. Beyond ASCII `toString` takes twice as long as the way through UTF-16.
function textOf(raw: Buffer): string {
  if (raw.length < LARGE_BYTES || isAscii(raw)) return raw.toString('utf8');
  return transcode(raw, 'utf8', 'utf16le').toString('utf16le');
}
