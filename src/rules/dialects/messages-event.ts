// What the content of messages says: the output text of a block as it begins, of a delta to it, of
// a whole one. Signatures and citations are not made by the model token by token, and do not count.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';

/** Output that a block begins with: the name of a called tool, mostly. */
export function blockStartText(block: Json | undefined): string {
  if (!isJsonObject(block)) return '';
  const { text, thinking, type, name } = block;
  return textOf(text) + textOf(thinking) + (isToolUse(type) ? textOf(name) : '');
}

export function deltaText(delta: Json | undefined): string {
  if (!isJsonObject(delta)) return '';
  const { text, thinking, partial_json: json, type, content } = delta;
  const compaction = type === 'compaction_delta' ? textOf(content) : '';
  return textOf(text) + textOf(thinking) + textOf(json) + compaction;
}

/** The output text of a whole answer's blocks. */
export function contentText(content: Json | undefined): string {
  if (!Array.isArray(content)) return '';
  let text = '';
  for (const block of content) {
    text += blockStartText(block);
    if (!isJsonObject(block)) continue;
    if (isToolUse(block.type) && block.input !== undefined) text += JSON.stringify(block.input);
    if (block.type === 'compaction') text += textOf(block.content);
  }
  return text;
}

/** The message of an error event; its type where it has none. */
export function failureText({ error }: JsonObject): string {
  if (!isJsonObject(error)) return 'an error event without an error';
  return textOf(error.message) || textOf(error.type) || 'an error event without a message';
}

// `tool_use`, `server_tool_use`, `mcp_tool_use`.
function isToolUse(type: Json | undefined): boolean {
  return typeof type === 'string' && type.endsWith('tool_use');
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
