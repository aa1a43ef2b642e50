// How a stream of chat completions ends when we end it: properly with a comment of ours in the
// terminator's own block, cut with a last chunk of ours before it, or with an error event, after
// which the connection closes.

import { assert } from '../../core/assert.js';
import type { Cut, StreamReader } from '../../core/dialect.js';
import type { Problem } from '../../core/errors.js';
import type { Json, JsonObject } from '../../core/json.js';
import { inputTokens, outputTokens, type Usage } from '../../core/usage.js';
import { ChatReader } from './chat-reader.js';
import { commentLine, lineStart } from './ending-lines.js';
import { openaiError } from './problem-json.js';

export function writeDone(comment: string): Buffer {
  return Buffer.from(`${commentLine(comment)}data: [DONE]\n\n`);
}

export function writeChatFailure(problem: Problem, reader?: StreamReader): Buffer {
  const event = JSON.stringify({ error: openaiError(problem) });
  return Buffer.from(`${lineStart(reader)}data: ${event}\n\n`);
}

/** Every choice that is open ends by `length`, as if the client's own bound had been reached. */
export function writeChatCut(reader: StreamReader, cut: Cut): Buffer {
  assert(reader instanceof ChatReader, 'a chat stream is cut by what its own reader saw');
  const [start, done] = [lineStart(reader), writeDone(cut.comment)];
  if (reader.sawChoiceFinished) return Buffer.concat([Buffer.from(start), done]);
  const head = reader.head ?? { object: 'chat.completion.chunk' };
  const open = reader.openChoices();
  const ended = head.object === 'text_completion' ? endedText : endedMessage;
  const chunk = {
    ...head,
    choices: (open.length === 0 ? [0] : open).map(ended),
    usage: chatUsageJson(cut.usage),
    purser: cut.purser,
  };
  return Buffer.concat([Buffer.from(`${start}data: ${JSON.stringify(chunk)}\n\n`), done]);
}

function endedMessage(index: Json): JsonObject {
  return { index, delta: {}, logprobs: null, finish_reason: 'length' };
}

function endedText(index: Json): JsonObject {
  return { index, text: '', logprobs: null, finish_reason: 'length' };
}

function chatUsageJson(usage: Usage): JsonObject {
  const [prompt, completion] = [inputTokens(usage), outputTokens(usage)];
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: usage.cachedRead, audio_tokens: usage.audioInput },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      audio_tokens: usage.audioOutput,
    },
  };
}
