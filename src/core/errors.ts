// Coded errors: every failure that a client or an operator may meet has one code, one status and
// one type, in this table. Codes are never reused for another meaning. Refusals that are expected
// (no budget, no key) are values elsewhere; their texts are made from the same table.

export const ERROR_CODES = {
  bad_request: { status: 400, type: 'invalid_request_error' },
  bad_framing: { status: 400, type: 'invalid_request_error' },
  invalid_host: { status: 400, type: 'invalid_request_error' },
  invalid_request_target: { status: 400, type: 'invalid_request_error' },
  invalid_json: { status: 400, type: 'invalid_request_error' },
  invalid_value: { status: 400, type: 'invalid_request_error' },
  invalid_encoding: { status: 400, type: 'invalid_request_error' },
  invalid_header: { status: 400, type: 'invalid_request_error' },
  duplicate_key: { status: 400, type: 'invalid_request_error' },
  too_deep: { status: 400, type: 'invalid_request_error' },
  context_length_exceeded: { status: 400, type: 'invalid_request_error' },
  model_not_priced: { status: 400, type: 'invalid_request_error' },
  unsupported_parameter: { status: 400, type: 'invalid_request_error' },
  ambiguous_credentials: { status: 400, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'invalid_request_error' },
  key_expired: { status: 401, type: 'invalid_request_error' },
  key_revoked: { status: 401, type: 'invalid_request_error' },
  key_disabled: { status: 401, type: 'invalid_request_error' },
  budget_exceeded: { status: 402, type: 'insufficient_quota' },
  request_exceeds_budget: { status: 402, type: 'insufficient_quota' },
  budget_in_flight: { status: 402, type: 'insufficient_quota' },
  model_not_allowed: { status: 403, type: 'permission_error' },
  dimension_required: { status: 403, type: 'permission_error' },
  dimension_fixed: { status: 403, type: 'permission_error' },
  insufficient_permissions: { status: 403, type: 'permission_error' },
  not_found: { status: 404, type: 'invalid_request_error' },
  unknown_endpoint: { status: 404, type: 'invalid_request_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  request_timeout: { status: 408, type: 'invalid_request_error' },
  idempotency_in_progress: { status: 409, type: 'invalid_request_error' },
  idempotency_key_reused: { status: 422, type: 'invalid_request_error' },
  managed_by_file: { status: 409, type: 'invalid_request_error' },
  already_exists: { status: 409, type: 'invalid_request_error' },
  body_too_large: { status: 413, type: 'invalid_request_error' },
  uri_too_long: { status: 414, type: 'invalid_request_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  unsupported_content_encoding: { status: 415, type: 'invalid_request_error' },
  expectation_failed: { status: 417, type: 'invalid_request_error' },
  upgrade_not_supported: { status: 426, type: 'invalid_request_error' },
  headers_too_large: { status: 431, type: 'invalid_request_error' },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error' },
  concurrency_limit: { status: 429, type: 'rate_limit_error' },
  internal_error: { status: 500, type: 'server_error' },
  unsupported_transfer_encoding: { status: 501, type: 'invalid_request_error' },
  upstream_error: { status: 502, type: 'server_error' },
  ledger_unavailable: { status: 503, type: 'server_error' },
  usage_log_unavailable: { status: 503, type: 'server_error' },
  database_unavailable: { status: 503, type: 'server_error' },
  overloaded: { status: 503, type: 'server_error' },
  draining: { status: 503, type: 'server_error' },
  calls_stopped: { status: 503, type: 'server_error' },
  upstream_timeout: { status: 504, type: 'server_error' },
} as const satisfies Record<string, { status: number; type: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface Problem {
  code: ErrorCode;
  message: string;
  /** Where it is not the code's own. */
  status?: number;
  /** The member of the request that is wrong. */
  param?: string;
  metadata?: Record<string, string | number | boolean | null>;
  headers?: Record<string, string>;
}

/** A refusal or failure as a value: how a step of the flow says no. */
export interface Refused {
  readonly refused: Problem;
}

export function refuse(code: ErrorCode, message: string, more: Partial<Problem> = {}): Refused {
  return { refused: { ...more, code, message } };
}

export function isRefused(value: unknown): value is Refused {
  if (typeof value !== 'object' || value === null) return false;
  // Asked of everything that a step answers: `in` takes ten times as long.
  return (value as Partial<Refused>).refused !== undefined;
}

/** A failure with a code, where a value cannot be handed back. */
export class CodedError extends Error {
  override name = 'CodedError';
  readonly problem: Problem;

  constructor(code: ErrorCode, message: string, more: Partial<Problem> = {}) {
    super(message);
    this.problem = { ...more, code, message };
  }
}

/** A failure at start or in a command: the message says what is wrong, the remedy what to do. */
export class OperatorError extends Error {
  override name = 'OperatorError';
  readonly remedy: string;

  constructor(message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.remedy = remedy;
  }
}
