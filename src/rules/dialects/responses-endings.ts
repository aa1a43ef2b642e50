// How a stream of responses ends when we end it: with the terminator that was held back and a
// comment of ours in its block; cut, as if `max_output_tokens` had been reached; or with an error
// event. Events of ours go on with the provider's numbering.

import { assert } from '../../core/assert.js';
import type { Cut, StreamReader } from '../../core/dialect.js';
import type { Problem } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';
import { inputTokens, outputTokens, type Usage } from '../../core/usage.js';
import { commentLine, lineStart, namedEvent } from './ending-lines.js';
import { openaiError } from './problem-json.js';
import { ResponsesReader } from './responses-reader.js';

export function writeResponsesDone(comment: string, reader?: StreamReader): Buffer {
  assert(reader instanceof ResponsesReader && reader.terminator, 'a response has its own end');
  return Buffer.concat([Buffer.from(commentLine(comment)), reader.terminator]);
}

export function writeResponsesFailure(problem: Problem, reader?: StreamReader): Buffer {
  const sequence = reader instanceof ResponsesReader ? reader.nextSequence : undefined;
  const error = openaiError(problem);
  const { code, message, param } = error;
  // Some clients look for the error inside, as providers send it, others beside the type.
  const event = { code: code!, message: message!, param: param!, error };
  return Buffer.from(lineStart(reader) + namedEvent(numbered('error', event, sequence)));
}

export function writeResponsesCut(reader: StreamReader, cut: Cut): Buffer {
  assert(reader instanceof ResponsesReader, 'a stream of responses is cut by what its reader saw');
  if (reader.terminator) return writeResponsesDone(cut.comment, reader);
  let sequence = reader.nextSequence;
  let text = lineStart(reader);
  for (const { type, ...event } of reader.output.closings()) {
    text += namedEvent(numbered(type as string, event, sequence));
    if (sequence !== undefined) sequence += 1;
  }
  const response: JsonObject = {
    ...reader.head,
    object: 'response',
    status: 'incomplete',
    error: null,
    incomplete_details: { reason: 'max_output_tokens' },
    output: reader.output.items(),
    usage: responsesUsageJson(cut.usage),
    purser: cut.purser,
  };
  const last = numbered('response.incomplete', { response }, sequence);
  return Buffer.from(text + commentLine(cut.comment) + namedEvent(last));
}

function numbered(
  type: string,
  event: JsonObject,
  sequence: number | undefined,
): JsonObject & { type: string } {
  return { type, ...(sequence !== undefined && { sequence_number: sequence }), ...event };
}

function responsesUsageJson(usage: Usage): JsonObject {
  const [input, output] = [inputTokens(usage), outputTokens(usage)];
  const written = usage.cacheWrite5m + usage.cacheWrite1h;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cachedRead, cache_write_tokens: written },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: input + output,
  };
}
