// What of a messages body is counted, as chat-pieces does for its format. Whatever may stand for
// hidden text (signatures, encrypted results) is counted by its own length, which is above it.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import type { ChatPieces, Overheads } from './chat-pieces.js';
import { imageSize } from './image-size.js';
import { imageTokens } from './image-tokens.js';

// A typed tool of the provider's brings a description of its own that is not in the body.
const TYPED_TOOL_TOKENS = 4_096;
// A published rule of this format's vendor; the general rule for patches is near it.
const PIXELS_A_TOKEN = 750;
const IMAGE_TOKENS_MAX = 16_384;
const IMAGE_HEADER_CHARS = 400_000;

/** `hosted`: the provider runs tools, whose results the model reads. */
export function messagesPieces(
  body: JsonObject,
  model: string,
  overheads: Overheads,
  hosted: boolean,
): ChatPieces {
  const named = body.thread ?? body.container;
  const unbounded = hosted || (named !== undefined && named !== null);
  const counted: ChatPieces = { texts: [], fixedTokens: overheads.reply, unbounded };
  if (body.system !== undefined && body.system !== null) {
    counted.fixedTokens += overheads.message;
    addContent(counted, body.system, model);
  }
  for (const message of arrayOf(body.messages)) {
    counted.fixedTokens += overheads.message;
    addContent(counted, isJsonObject(message) ? message.content : message, model);
  }
  const tools = arrayOf(body.tools);
  if (tools.length > 0) counted.fixedTokens += overheads.tools + overheads.tool * tools.length;
  for (const tool of tools) {
    counted.texts.push(JSON.stringify(tool));
    if (isJsonObject(tool) && typeof tool.type === 'string' && tool.type !== 'custom') {
      counted.fixedTokens += TYPED_TOOL_TOKENS;
    }
  }
  for (const schema of [body.output_config, body.output_format, body.tool_choice]) {
    if (!isJsonObject(schema)) continue;
    counted.fixedTokens += overheads.tool;
    counted.texts.push(JSON.stringify(schema));
  }
  return counted;
}

function addContent(counted: ChatPieces, content: Json | undefined, model: string): void {
  if (content === undefined || content === null) return;
  if (!Array.isArray(content)) {
    counted.texts.push(textOf(content));
    return;
  }
  for (const block of content) {
    if (isJsonObject(block)) addBlock(counted, block, model);
    else counted.texts.push(textOf(block));
  }
}

function addBlock(counted: ChatPieces, block: JsonObject, model: string): void {
  const { type, text, source, content } = block;
  if (type === 'text' && typeof text === 'string') counted.texts.push(text);
  else if (type === 'image') addImage(counted, source, model);
  else if (type === 'document') addDocument(counted, block, model);
  else if (type === 'container_upload') counted.unbounded = true;
  else if (type === 'tool_result') {
    counted.texts.push(textOf(block.tool_use_id ?? ''));
    addContent(counted, content, model);
  } else counted.texts.push(JSON.stringify(block));
}

function addImage(counted: ChatPieces, source: Json | undefined, model: string): void {
  if (isJsonObject(source) && source.type === 'file') {
    counted.unbounded = true;
    return;
  }
  const encoded = isJsonObject(source) && typeof source.data === 'string' ? source.data : '';
  const size = imageSize(Buffer.from(encoded.slice(0, IMAGE_HEADER_CHARS), 'base64'));
  const byPixels = size ? Math.ceil((size.width * size.height) / PIXELS_A_TOKEN) : 0;
  const tokens = Math.max(imageTokens(model, size, undefined), byPixels);
  counted.fixedTokens += Math.min(tokens, IMAGE_TOKENS_MAX);
}

// How many pages a file has, and what stands on them, is not read here.
function addDocument(counted: ChatPieces, block: JsonObject, model: string): void {
  const { source, title, context } = block;
  for (const text of [title, context]) if (typeof text === 'string') counted.texts.push(text);
  if (!isJsonObject(source)) counted.unbounded = true;
  else if (source.type === 'text' && typeof source.data === 'string') {
    counted.texts.push(source.data);
  } else if (source.type === 'content') addContent(counted, source.content, model);
  else counted.unbounded = true;
}

function arrayOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
