// Reads the usage of responses: the same counts as chat completions under other names, and with
// them the searches of the web, which only the output items tell.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import type { Usage } from '../../core/usage.js';
import { completeUsage, readChatUsage } from './chat-usage.js';

export interface ResponsesUsage {
  /** Undefined where a side is missing or refused. */
  usage: Usage | undefined;
  anomalies: string[];
}

// Of every provider known, reasoning is inside the output count here, whatever it does elsewhere.
const INSIDE = { reasoningOutsideOutput: false };
const NOT_COUNTED = { inputTokens: 0, outputTokens: 0 };
// Runs of hosted tools that have a fee of their own, for which no price is kept.
const UNPRICED_CALLS = new Set(['file_search_call', 'code_interpreter_call']);

/** `webSearches`: how many the output items tell. */
export function readResponsesUsage(usage: JsonObject, webSearches: number): ResponsesUsage {
  const told: JsonObject = {
    prompt_tokens: usage.input_tokens ?? null,
    completion_tokens: usage.output_tokens ?? null,
    total_tokens: usage.total_tokens ?? null,
    prompt_tokens_details: usage.input_tokens_details ?? null,
    completion_tokens_details: usage.output_tokens_details ?? null,
    num_sources_used: usage.num_sources_used ?? null,
  };
  const reading = readChatUsage(told, INSIDE);
  const { usage: whole, source } = completeUsage(reading, NOT_COUNTED);
  const anomalies = reading.anomalies.map(renamed);
  if (source !== 'provider') return { usage: undefined, anomalies };
  whole.webSearches = Math.max(whole.webSearches, webSearches);
  return { usage: whole, anomalies };
}

function renamed(anomaly: string): string {
  return anomaly
    .replace(/\bprompt(?=_tokens)/g, 'input')
    .replace(/\bcompletion(?=_tokens)/g, 'output');
}

/** Whether an output item is billed as a search: opening a page and looking in it are not. */
export function isWebSearch(item: Json | undefined): boolean {
  if (!isJsonObject(item) || item.type !== 'web_search_call') return false;
  const { action } = item;
  return !isJsonObject(action) || action.type === undefined || action.type === 'search';
}

/** What of an item or an answer is billed beyond what is priced; undefined: nothing. */
export function unpricedItem(item: Json | undefined): string | undefined {
  if (!isJsonObject(item) || typeof item.type !== 'string') return undefined;
  if (item.type === 'image_generation_call') return 'image_generation_call: is not priced';
  return UNPRICED_CALLS.has(item.type) ? `${item.type}: its fee is not priced` : undefined;
}
