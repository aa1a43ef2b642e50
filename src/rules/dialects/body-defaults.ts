// An agent's defaults for what its clients leave out: put in front of the client's own members, on
// the bytes. What the client says itself stays, byte for byte.

import { isJsonObject, type Json, type JsonObject, parseJson } from '../../core/json.js';
import { scanMembers } from './json-spans.js';
import { bytes } from './json-splice.js';

/** The output bound has its own way, because it is also what is held. */
const DEFAULTS = ['model', 'temperature'] as const;

/** The body with what it lacks; the same buffer where it lacks nothing, or is no JSON object. */
export function withDefaults(raw: Buffer, defaults: JsonObject, samples: boolean): Buffer {
  // Agents with defaults of their own are few.
  if (defaults.model === undefined && defaults.temperature === undefined) return raw;
  const given = DEFAULTS.filter(
    (name) => isDefault(defaults[name]) && (samples || name !== 'temperature'),
  );
  if (given.length === 0 || !isJsonObject(parseJson(raw.toString('utf8')))) return raw;
  const { members } = scanMembers(raw);
  const missing = given.filter((name) => !members.has(name));
  if (missing.length === 0) return raw;
  const text = missing.map((name) => `${JSON.stringify(name)}:${JSON.stringify(defaults[name])}`);
  const comma = members.size > 0 ? ',' : '';
  const at = raw.indexOf(OPEN) + 1;
  return Buffer.concat([raw.subarray(0, at), bytes(text.join(',') + comma), raw.subarray(at)]);
}

const OPEN = 0x7b;

function isDefault(value: Json | undefined): boolean {
  return typeof value === 'number' || (typeof value === 'string' && value !== '');
}
