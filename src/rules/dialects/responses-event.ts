// What the events and items of responses say: output text of every kind that is made token by
// token, and errors.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';

/** The text of a delta; sound comes in bytes, which are no text. */
export function deltaText({ type, delta }: JsonObject): string {
  if (typeof type !== 'string' || typeof delta !== 'string') return '';
  return type.endsWith('.delta') && type !== 'response.audio.delta' ? delta : '';
}

/** Output that an item begins with: the name of what is called. */
export function itemName(item: Json | undefined): string {
  return isJsonObject(item) && item.type !== 'mcp_list_tools' ? textOf(item.name) : '';
}

/** The output text of a whole item, but for its name. */
export function itemText(item: Json | undefined): string {
  if (!isJsonObject(item)) return '';
  // What a hosted tool found or made is not the model's output.
  let text = textOf(item.arguments) + textOf(item.input) + textOf(item.code);
  for (const list of [item.summary, item.content]) {
    for (const part of Array.isArray(list) ? list : []) {
      if (isJsonObject(part)) text += textOf(part.text) + textOf(part.refusal);
    }
  }
  for (const asked of [item.action, item.operation]) {
    if (isJsonObject(asked)) text += JSON.stringify(asked);
  }
  return text;
}

/** The message of an error event, whose error stands in it or beside its type. */
export function failureText(event: JsonObject): string {
  const error = isJsonObject(event.error) ? event.error : event;
  return textOf(error.message) || textOf(error.code) || 'an error event without a message';
}

/** Why a response ended: its status, or the reason for which it is incomplete. */
export function finishOf({ status, incomplete_details: details }: JsonObject): string | null {
  const reason = isJsonObject(details) ? details.reason : undefined;
  if (typeof reason === 'string') return reason;
  return typeof status === 'string' ? status : null;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
