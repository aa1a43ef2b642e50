// What a router of providers tells of a generation when it is asked for it: the native counts, by
// which it bills.

import { isJsonObject, type JsonObject } from '../../core/json.js';
import { NO_USAGE, type Usage } from '../../core/usage.js';
import { COUNT_MAX } from './usage-fields.js';

/** Undefined while it is not known, or where it makes no sense. */
export function readGeneration(json: JsonObject): Usage | undefined {
  const { data } = json;
  if (!isJsonObject(data)) return undefined;
  const prompt = count(data.native_tokens_prompt);
  const completion = count(data.native_tokens_completion);
  if (prompt === undefined || completion === undefined) return undefined;
  const cachedRead = count(data.native_tokens_cached) ?? 0;
  const reasoning = count(data.native_tokens_reasoning) ?? 0;
  if (cachedRead > prompt || reasoning > completion) return undefined;
  const output = completion - reasoning;
  return { ...NO_USAGE, input: prompt - cachedRead, cachedRead, output, reasoning, requests: 1 };
}

function count(value: unknown): number | undefined {
  const isCount = Number.isSafeInteger(value) && (value as number) >= 0;
  return isCount && (value as number) <= COUNT_MAX ? (value as number) : undefined;
}
