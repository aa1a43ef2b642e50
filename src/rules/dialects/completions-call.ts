// Reads the body of a legacy completion once. Each of several prompts is answered `n` times, and of
// `best_of` answers all are billed, also those that are not shown.

import type { CallBody } from '../../core/call.js';
import { isRefused, type Refused } from '../../core/errors.js';
import { isJsonObject, type Json } from '../../core/json.js';
import { checkModel, endUserOf, isWhole, wrong } from './call-checks.js';
import { checkStream, readBound, readChoices } from './chat-call.js';
import { readJsonBody } from './json-body.js';

/** The format's own default. */
const OUTPUT_TOKENS_DEFAULT = 16;
const BEST_OF_MAX = 128;
const PROMPTS_MAX = 2_048;

export function readCompletionsCall(raw: Buffer): CallBody | Refused {
  const body = readJsonBody(raw);
  if (isRefused(body)) return body;
  const { json, members } = body;
  const refused = checkModel(json) ?? checkStream(json);
  if (refused) return refused;
  const prompts = countPrompts(json.prompt);
  if (isRefused(prompts)) return prompts;
  const n = readChoices(json.n);
  if (isRefused(n)) return n;
  const bestOf = json.best_of ?? 1;
  if (!isWhole(bestOf, BEST_OF_MAX)) {
    return wrong('best_of', `a whole number from 1 to ${BEST_OF_MAX}`);
  }
  const bound = readBound(json);
  if (isRefused(bound)) return bound;
  const options = json.stream_options;
  const call: CallBody = {
    raw,
    members,
    json,
    model: json.model as string,
    stream: json.stream === true,
    wantsUsage: isJsonObject(options) && options.include_usage === true,
    choices: prompts * Math.max(n, bestOf),
    outputBound: bound ?? { member: 'max_tokens', tokens: OUTPUT_TOKENS_DEFAULT },
  };
  const endUser = endUserOf(json.user);
  if (endUser !== undefined) call.endUser = endUser;
  return call;
}

// Text, a list of texts, a list of token numbers, or a list of such lists.
function countPrompts(prompt: Json | undefined): number | Refused {
  if (prompt === undefined || prompt === null || typeof prompt === 'string') return 1;
  if (!Array.isArray(prompt) || prompt.length === 0) {
    return wrong('prompt', 'text, tokens, or a list of these');
  }
  if (typeof prompt[0] === 'number') return 1;
  return prompt.length <= PROMPTS_MAX
    ? prompt.length
    : wrong('prompt', `a list of at most ${PROMPTS_MAX}`);
}
