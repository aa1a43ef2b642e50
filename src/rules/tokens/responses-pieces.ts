// What of a responses body is counted, as chat-pieces does for its format. What the body only names
// (an earlier response, a conversation, a stored prompt, a file) makes the prompt unbounded.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import type { ChatPieces, Overheads } from './chat-pieces.js';
import { inlineImageSize } from './image-size.js';
import { imageTokens } from './image-tokens.js';

const ELSEWHERE = ['previous_response_id', 'conversation', 'prompt'] as const;

/** `hosted`: the provider runs tools, whose results the model reads. */
export function responsesPieces(
  body: JsonObject,
  model: string,
  overheads: Overheads,
  hosted: boolean,
): ChatPieces {
  const named = ELSEWHERE.some((key) => body[key] !== undefined && body[key] !== null);
  const counted: ChatPieces = {
    texts: [],
    fixedTokens: overheads.reply,
    unbounded: hosted || named,
  };
  for (const text of [body.instructions, body.input]) {
    if (text === undefined || text === null || Array.isArray(text)) continue;
    counted.fixedTokens += overheads.message;
    counted.texts.push(textOf(text));
  }
  for (const list of [body.instructions, body.input]) {
    for (const item of arrayOf(list)) addItem(counted, item, model, overheads);
  }
  const tools = arrayOf(body.tools);
  if (tools.length > 0) counted.fixedTokens += overheads.tools + overheads.tool * tools.length;
  for (const tool of tools) counted.texts.push(JSON.stringify(tool));
  for (const schema of [body.text, body.tool_choice]) {
    if (!isJsonObject(schema)) continue;
    counted.fixedTokens += overheads.tool;
    counted.texts.push(JSON.stringify(schema));
  }
  return counted;
}

// Parts of an item that may hold pictures or files; all else is counted as text.
const CONTENTS = new Set(['content', 'output']);
const FRAME = new Set(['id', 'type', 'status']);

function addItem(counted: ChatPieces, item: Json, model: string, overheads: Overheads): void {
  counted.fixedTokens += overheads.message;
  if (!isJsonObject(item)) {
    counted.texts.push(textOf(item));
    return;
  }
  if (item.type === 'item_reference') counted.unbounded = true;
  for (const [key, value] of Object.entries(item)) {
    if (value === null || FRAME.has(key)) continue;
    if (CONTENTS.has(key)) addContent(counted, value, model);
    else counted.texts.push(textOf(value));
  }
}

function addContent(counted: ChatPieces, content: Json, model: string): void {
  // The picture of a screen comes as the only part.
  const parts = isJsonObject(content) ? [content] : content;
  if (!Array.isArray(parts)) {
    counted.texts.push(textOf(parts));
    return;
  }
  for (const part of parts) {
    if (isJsonObject(part)) addPart(counted, part, model);
    else counted.texts.push(textOf(part));
  }
}

function addPart(counted: ChatPieces, part: JsonObject, model: string): void {
  const { type, text, refusal, file_id: fileId } = part;
  if (type === 'input_image' || type === 'computer_screenshot') {
    if (fileId !== undefined && fileId !== null) counted.unbounded = true;
    const url = typeof part.image_url === 'string' ? part.image_url : '';
    const detail = typeof part.detail === 'string' ? part.detail : undefined;
    counted.fixedTokens += imageTokens(model, inlineImageSize(url), detail);
  } else if (type === 'input_file' || type === 'input_audio') counted.unbounded = true;
  else if (typeof text === 'string' && isPlain(part)) counted.texts.push(text);
  else if (type === 'refusal' && typeof refusal === 'string') counted.texts.push(refusal);
  else counted.texts.push(JSON.stringify(part));
}

function isPlain({ type }: JsonObject): boolean {
  return type === 'input_text' || type === 'output_text' || type === 'text';
}

function arrayOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
