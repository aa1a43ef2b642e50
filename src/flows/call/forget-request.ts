// A request that is being answered is not sent again. A stream lasts, and there are thousands of
// them: none keeps the conversation that it answers.

import type { CallBody } from '../../core/call.js';
import { isJsonObject, type JsonObject } from '../../core/json.js';

const NO_BYTES = Buffer.alloc(0);
const NO_MEMBERS: CallBody['members'] = new Map();

/** Leaves of the body what its price depends on: its small members. */
export function forgetRequest(body: CallBody): void {
  const json: JsonObject = {};
  for (const name in body.json) {
    const value = body.json[name]!;
    if (!Array.isArray(value) && !isJsonObject(value) && !isLong(value)) json[name] = value;
  }
  body.raw = NO_BYTES;
  body.members = NO_MEMBERS;
  body.json = json;
}

const TEXT_MAX = 64;

function isLong(value: unknown): boolean {
  return typeof value === 'string' && value.length > TEXT_MAX;
}
