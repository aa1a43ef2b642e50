// What one event of a chat completions stream says, read from its parsed JSON: output text of every
// kind that is billed, usage, how choices ended, an error. Providers differ in where they put
// things; what none of them sends is passed over.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';

/** All output text of an event's choices (and of an answer's, which has `message` for `delta`). */
export function outputText(choices: readonly Json[]): string {
  let text = '';
  for (const choice of choices) {
    if (!isJsonObject(choice)) continue;
    // Perplexity repeats the whole message beside each delta: only one of them may count.
    const part = isJsonObject(choice.delta) ? choice.delta : choice.message;
    if (isJsonObject(part)) text += partText(part);
    text += textOf(choice.text);
  }
  return text;
}

function partText(part: JsonObject): string {
  const { reasoning_content: reasoningContent, reasoning } = part;
  let text = contentText(part.content) + textOf(reasoningContent) + textOf(part.refusal);
  // Some send the same reasoning under both names.
  if (reasoning !== reasoningContent) text += textOf(reasoning);
  if (Array.isArray(part.tool_calls)) {
    for (const call of part.tool_calls) text += toolText(call);
  }
  if (isJsonObject(part.function_call)) text += calledText(part.function_call);
  if (isJsonObject(part.audio)) text += textOf(part.audio.transcript);
  return text;
}

// Mistral sends a list of parts when it reasons; a thinking part holds parts itself.
function contentText(content: Json | undefined): string {
  if (!Array.isArray(content)) return textOf(content);
  let text = '';
  for (const part of content) {
    if (isJsonObject(part)) text += textOf(part.text) + contentText(part.thinking);
  }
  return text;
}

function toolText(call: Json): string {
  if (!isJsonObject(call)) return '';
  const called = call.function ?? call.custom;
  return isJsonObject(called) ? calledText(called) : '';
}

function calledText(called: JsonObject): string {
  return textOf(called.name) + textOf(called.arguments) + textOf(called.input);
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** The message of an error event; undefined where the event is none. */
export function failureOf(event: JsonObject): string | undefined {
  const { error } = event;
  if (error === undefined || error === null) return undefined;
  if (typeof error === 'string') return error;
  if (isJsonObject(error) && typeof error.message === 'string') return error.message;
  return JSON.stringify(error).slice(0, 500);
}

/** Whether the event is there for its usage alone, so that who did not ask must not see it. */
export function isUsageOnly(event: JsonObject): boolean {
  const { choices, usage } = event;
  return Array.isArray(choices) && choices.length === 0 && isJsonObject(usage);
}
