// Reads the body of a call for embeddings once. Nothing is generated: the output bound is 0.

import type { CallBody } from '../../core/call.js';
import { isRefused, type Refused, refuse } from '../../core/errors.js';
import type { Json } from '../../core/json.js';
import { checkModel, endUserOf, wrong } from './call-checks.js';
import { readJsonBody } from './json-body.js';

export function readEmbeddingsCall(raw: Buffer): CallBody | Refused {
  const body = readJsonBody(raw);
  if (isRefused(body)) return body;
  const { json, members } = body;
  const refused = checkModel(json) ?? checkInput(json.input);
  if (refused) return refused;
  if (json.stream === true) {
    const why = 'Embeddings are not streamed.';
    return refuse('unsupported_parameter', why, { param: 'stream' });
  }
  const call: CallBody = {
    raw,
    members,
    json,
    model: json.model as string,
    stream: false,
    wantsUsage: true,
    choices: 1,
    outputBound: { member: 'max_tokens', tokens: 0 },
  };
  const endUser = endUserOf(json.user);
  if (endUser !== undefined) call.endUser = endUser;
  return call;
}

function checkInput(input: Json | undefined): Refused | undefined {
  if (typeof input === 'string') return undefined;
  if (Array.isArray(input) && input.length > 0) return undefined;
  return wrong('input', 'text, tokens, or a list of these');
}
