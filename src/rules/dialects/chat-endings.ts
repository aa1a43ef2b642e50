// How a stream of chat completions ends when we end it: properly with a comment of ours in the
// terminator's own block, or with an error event, after which the connection closes.

import type { Problem } from '../../core/errors.js';
import { openaiError } from './problem-json.js';

/** `comment` without its colon; a line break in it would end the line early and is taken out. */
export function writeDone(comment: string): Buffer {
  return Buffer.from(`: ${comment.replace(/[\r\n]+/g, ' ')}\ndata: [DONE]\n\n`);
}

export function writeChatFailure(problem: Problem): Buffer {
  return Buffer.from(`data: ${JSON.stringify({ error: openaiError(problem) })}\n\n`);
}
