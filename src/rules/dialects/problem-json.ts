// The body of an error answer, in the envelope of the wire format that the client speaks.

import type { Operation } from '../../core/call.js';
import { ERROR_CODES, type Problem } from '../../core/errors.js';
import type { JsonObject } from '../../core/json.js';

export function problemJson(operation: Operation, problem: Problem, requestId: string): string {
  if (operation === 'messages' || operation === 'count_tokens') {
    return JSON.stringify({ type: 'error', error: anthropicError(problem), request_id: requestId });
  }
  return JSON.stringify({ error: openaiError(problem), request_id: requestId });
}

export function openaiError({ code, message, param, metadata }: Problem): JsonObject {
  const error: JsonObject = { message, type: ERROR_CODES[code].type, param: param ?? null, code };
  if (metadata) error.metadata = metadata;
  return error;
}

/** Anthropic's names for what is wrong; code, param and metadata beside them, as for the others. */
export function anthropicError(problem: Problem): JsonObject {
  return { ...openaiError(problem), type: anthropicType(problem) };
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

function anthropicType(problem: Problem): string {
  const { status } = ERROR_CODES[problem.code];
  return ANTHROPIC_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}
