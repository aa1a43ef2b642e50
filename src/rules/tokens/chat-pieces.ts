// What of a chat completions body is counted: texts, images, and a constant for the frame that
// the provider puts around them. What is not known is counted as the text of its JSON, so that a
// new kind of part is never free.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import { inlineImageSize } from './image-size.js';
import { imageTokens } from './image-tokens.js';

export interface ChatPieces {
  /** Each is counted by itself; a conversation that grows keeps all but its newest ones. */
  texts: string[];
  /** Frames of messages and tools, images and sound: to be added to the texts' tokens. */
  fixedTokens: number;
  /** The body names a file that is not in it: only the context window bounds the prompt. */
  unbounded: boolean;
}

/** Tokens that a provider adds, each: published for OpenAI, wide for those who publish nothing. */
export interface Overheads {
  message: number;
  name: number;
  /** The answer is primed with `assistant`. */
  reply: number;
  tool: number;
  /** Once, where there is any tool. */
  tools: number;
}

export const PUBLISHED_OVERHEADS: Overheads = { message: 3, name: 1, reply: 3, tool: 12, tools: 0 };
// Templates of others write a system preamble and several marks a message.
export const WIDE_OVERHEADS: Overheads = { message: 8, name: 4, reply: 64, tool: 32, tools: 512 };

export function chatPieces(body: JsonObject, model: string, overheads: Overheads): ChatPieces {
  const counted: ChatPieces = { texts: [], fixedTokens: overheads.reply, unbounded: false };
  for (const message of arrayOf(body.messages)) {
    counted.fixedTokens += overheads.message;
    if (isJsonObject(message)) addMessage(counted, message, model, overheads);
    else counted.texts.push(textOf(message));
  }
  const tools = [...arrayOf(body.tools), ...arrayOf(body.functions)];
  if (tools.length > 0) counted.fixedTokens += overheads.tools + overheads.tool * tools.length;
  for (const tool of tools) counted.texts.push(JSON.stringify(tool));
  for (const schema of [body.response_format, body.tool_choice, body.function_call]) {
    if (!isJsonObject(schema)) continue;
    counted.fixedTokens += overheads.tool;
    counted.texts.push(JSON.stringify(schema));
  }
  // A prediction that is rejected is billed as output, at least its own length.
  if (isJsonObject(body.prediction)) addContent(counted, body.prediction.content, model);
  return counted;
}

const FRAME = new Set(['role', 'content', 'name']);

function addMessage(
  counted: ChatPieces,
  message: JsonObject,
  model: string,
  overheads: Overheads,
): void {
  for (const [key, value] of Object.entries(message)) {
    if (value === null) continue;
    if (key === 'name') counted.fixedTokens += overheads.name;
    if (key === 'content') addContent(counted, value, model);
    else if (key === 'tool_calls') addToolCalls(counted, value, overheads);
    else if (FRAME.has(key) || typeof value === 'string') counted.texts.push(textOf(value));
    else counted.texts.push(JSON.stringify(value));
  }
}

function addToolCalls(counted: ChatPieces, calls: Json, overheads: Overheads): void {
  for (const call of arrayOf(calls)) {
    counted.fixedTokens += overheads.message;
    counted.texts.push(JSON.stringify(call));
  }
}

function addContent(counted: ChatPieces, content: Json | undefined, model: string): void {
  if (content === undefined) return;
  if (!Array.isArray(content)) {
    counted.texts.push(textOf(content));
    return;
  }
  for (const part of content) {
    if (isJsonObject(part)) addPart(counted, part, model);
    else counted.texts.push(textOf(part));
  }
}

function addPart(counted: ChatPieces, part: JsonObject, model: string): void {
  const { type } = part;
  if (type === 'text' && typeof part.text === 'string') counted.texts.push(part.text);
  else if (type === 'refusal' && typeof part.refusal === 'string') counted.texts.push(part.refusal);
  else if (type === 'image_url') addImage(counted, part.image_url, model);
  else if (type === 'input_audio' && isJsonObject(part.input_audio)) {
    counted.fixedTokens += soundTokens(part.input_audio);
  } else if (type === 'file' || type === 'document_url' || type === 'video_url') {
    counted.unbounded = true;
  } else counted.texts.push(JSON.stringify(part));
}

function addImage(counted: ChatPieces, image: Json | undefined, model: string): void {
  const url = isJsonObject(image) ? image.url : image;
  const detail = isJsonObject(image) && typeof image.detail === 'string' ? image.detail : undefined;
  const size = typeof url === 'string' ? inlineImageSize(url) : undefined;
  counted.fixedTokens += imageTokens(model, size, detail);
}

// At most 32 tokens a second are billed for sound, and no format in use has fewer than 800 bytes
// a second: a token for every 25 bytes is above every provider's count.
function soundTokens(sound: JsonObject): number {
  const encoded = typeof sound.data === 'string' ? sound.data.length : 0;
  return Math.ceil((encoded * 0.75) / 25);
}

function arrayOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
