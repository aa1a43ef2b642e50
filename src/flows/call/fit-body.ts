// The body of a fitted prompt, written once: messages that nothing was done to keep their bytes,
// and so does every other member.

import type { CallBody } from '../../core/call.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import { scanMembers } from '../../rules/dialects/json-spans.js';
import { bytes, spliceMembers } from '../../rules/dialects/json-splice.js';
import { withText } from '../../rules/prompt/conversation.js';
import type { DraftMessage } from '../../rules/prompt/draft.js';
import { scanElements } from '../../rules/prompt/elements.js';

const OPEN = bytes('[');
const COMMA = bytes(',');
const CLOSE = bytes(']');

/** Without `purser`, and with other messages if they are given. */
export function fittedBody(body: CallBody, messages?: readonly DraftMessage[]): CallBody {
  const edits = new Map<string, Uint8Array | undefined>();
  const { purser: _, ...rest } = body.json;
  let json: JsonObject = rest;
  if (body.members.has('purser')) edits.set('purser', undefined);
  if (messages) {
    const written = writeMessages(body, messages);
    edits.set('messages', written.raw);
    json = { ...json, messages: written.json };
  }
  const raw = Buffer.concat(spliceMembers(body.raw, body.members, edits));
  return { ...body, raw, json, members: scanMembers(raw).members };
}

function writeMessages(
  body: CallBody,
  messages: readonly DraftMessage[],
): { raw: Buffer; json: Json[] } {
  const own = Array.isArray(body.json.messages) ? body.json.messages : [];
  const spans = scanElements(body.raw, body.members.get('messages')!.valueStart);
  const pieces: Uint8Array[] = [];
  const json: Json[] = [];
  for (const message of messages) {
    pieces.push(pieces.length === 0 ? OPEN : COMMA);
    if ('made' in message) {
      json.push(message.made);
      pieces.push(bytes(JSON.stringify(message.made)));
      continue;
    }
    const { start, end } = spans[message.index]!;
    const raw = body.raw.subarray(start, end);
    const original = own[message.index]!;
    if (message.text === undefined || !isJsonObject(original)) {
      json.push(original);
      pieces.push(raw);
      continue;
    }
    const content = withText(original, message.text);
    json.push({ ...original, content });
    const edits = new Map([['content', bytes(JSON.stringify(content))]]);
    pieces.push(...spliceMembers(raw, scanMembers(raw).members, edits));
  }
  if (pieces.length === 0) pieces.push(OPEN);
  pieces.push(CLOSE);
  return { raw: Buffer.concat(pieces), json };
}
