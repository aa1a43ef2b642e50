// Reads the body of a chat completion once. What decides about money and routing is checked here,
// member by member; everything else is the provider's to judge and travels on as it came.

import type { CallBody } from '../../core/call.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import { checkModel, endUserOf, isFlag, isWhole, wrong } from './call-checks.js';
import { readJsonBody } from './json-body.js';

const CHOICES_MAX = 128;
const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
const BOUNDS = ['max_completion_tokens', 'max_tokens'] as const;

export function readChatCall(raw: Buffer): CallBody | Refused {
  const body = readJsonBody(raw);
  if (isRefused(body)) return body;
  const { json, members } = body;
  const wrong = checkModel(json) ?? checkMessages(json.messages) ?? checkStream(json);
  if (wrong) return wrong;
  const choices = readChoices(json.n);
  if (isRefused(choices)) return choices;
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
    choices,
  };
  if (bound) call.outputBound = bound;
  const endUser = endUserOf(json.user);
  if (endUser !== undefined) call.endUser = endUser;
  return call;
}

function checkMessages(messages: Json | undefined): Refused | undefined {
  if (!Array.isArray(messages) || messages.length === 0) {
    return wrong('messages', 'a list of at least one message');
  }
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i];
    if (!isJsonObject(message)) return wrong(`messages[${i}]`, 'an object with role and content');
    if (typeof message.role !== 'string' || !ROLES.has(message.role)) {
      return wrong(`messages[${i}].role`, `one of ${[...ROLES].join(', ')}`);
    }
    const refused = checkContent(message.content, `messages[${i}].content`);
    if (refused) return refused;
  }
  return undefined;
}

function checkContent(content: Json | undefined, param: string): Refused | undefined {
  if (content === undefined || content === null || typeof content === 'string') return undefined;
  if (!Array.isArray(content)) return wrong(param, 'text or a list of parts');
  const bad = content.findIndex((part) => !isJsonObject(part) || typeof part.type !== 'string');
  return bad === -1 ? undefined : wrong(`${param}[${bad}]`, 'an object with a type');
}

export function checkStream({ stream, stream_options: options }: JsonObject): Refused | undefined {
  if (!isFlag(stream)) return wrong('stream', 'true or false');
  if (options === undefined || options === null) return undefined;
  if (!isJsonObject(options)) return wrong('stream_options', 'an object');
  if (stream !== true) {
    return refuse('invalid_value', '`stream_options` is only allowed where `stream` is true.', {
      param: 'stream_options',
    });
  }
  if (isFlag(options.include_usage)) return undefined;
  return wrong('stream_options.include_usage', 'true or false');
}

export function readChoices(n: Json | undefined): number | Refused {
  if (n === undefined || n === null) return 1;
  return isWhole(n, CHOICES_MAX) ? n : wrong('n', `a whole number from 1 to ${CHOICES_MAX}`);
}

export function readBound(json: JsonObject): CallBody['outputBound'] | Refused {
  let bound: CallBody['outputBound'];
  for (const member of BOUNDS) {
    const tokens = json[member];
    if (tokens === undefined || tokens === null) continue;
    if (!isWhole(tokens, Number.MAX_SAFE_INTEGER)) {
      return wrong(member, 'a whole number of at least 1');
    }
    if (bound) {
      const both = `Give one of \`${bound.member}\` and \`${member}\`, not both.`;
      return refuse('invalid_value', both, { param: member });
    }
    bound = { member, tokens };
  }
  return bound;
}
