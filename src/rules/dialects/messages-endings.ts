// How a stream of messages ends when we end it: with its `message_stop`, which has a comment of
// ours in its block; cut, as if `max_tokens` had been reached; or with an error event.

import { assert } from '../../core/assert.js';
import type { Cut, StreamReader } from '../../core/dialect.js';
import type { Problem } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { outputTokens, type Usage } from '../../core/usage.js';
import { commentLine, lineStart, namedEvent } from './ending-lines.js';
import { MessagesReader } from './messages-reader.js';
import { anthropicError } from './problem-json.js';

const STOP = namedEvent({ type: 'message_stop' });

export function writeMessagesDone(comment: string, reader?: StreamReader): Buffer {
  const held = reader instanceof MessagesReader ? reader.terminator : undefined;
  return Buffer.concat([Buffer.from(commentLine(comment)), held ?? Buffer.from(STOP)]);
}

export function writeMessagesFailure(problem: Problem, reader?: StreamReader): Buffer {
  const event = namedEvent({ type: 'error', error: anthropicError(problem) });
  return Buffer.from(lineStart(reader) + event);
}

export function writeMessagesCut(reader: StreamReader, cut: Cut): Buffer {
  assert(reader instanceof MessagesReader, 'a stream of messages is cut by what its reader saw');
  let text = reader.started
    ? ''
    : namedEvent({ type: 'message_start', message: emptyMessage(cut) });
  for (const index of reader.openBlocks) text += namedEvent({ type: 'content_block_stop', index });
  if (!reader.sawChoiceFinished) {
    const delta = { stop_reason: 'max_tokens', stop_sequence: null };
    const usage = messagesUsageJson(cut.usage);
    text += namedEvent({ type: 'message_delta', delta, usage, purser: cut.purser });
  }
  return Buffer.concat([Buffer.from(text), writeMessagesDone(cut.comment)]);
}

// A client's parser refuses any other event before this one.
function emptyMessage(cut: Cut): JsonObject {
  return {
    id: 'msg_purser',
    type: 'message',
    role: 'assistant',
    model: '',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...messagesUsageJson(cut.usage), output_tokens: 0 },
  };
}

function messagesUsageJson(usage: Usage): JsonObject {
  const json: JsonObject = {
    input_tokens: usage.input + usage.audioInput + usage.imageInput,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cachedRead,
    output_tokens: outputTokens(usage),
  };
  if (usage.webSearches > 0) {
    json.server_tool_use = { web_search_requests: usage.webSearches, web_fetch_requests: 0 };
  }
  return json;
}
