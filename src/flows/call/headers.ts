// The headers of an answer: ours about the call and its budgets, and the few of the upstream's
// that may travel on.

import type { Balance } from '../../core/envelope.js';
import { formatUsd } from '../../core/money.js';
import type { Head } from './exchange.js';
import type { Passage } from './passage.js';

/**
 * What can be said of every admitted call, written into `headers`. `costNanoUsd` where it is known
 * before the body.
 */
export function answerHeaders(
  passage: Passage,
  balances: readonly Balance[],
  costNanoUsd?: number,
  headers: Record<string, string> = {},
): Record<string, string> {
  const { deps, admission, estimate, target, call } = passage;
  const { reserved } = admission;
  const dispatched = passage.dispatchedMs || deps.clock.elapsedMs();
  headers['x-request-id'] = call.requestId;
  headers['x-purser-reservation-id'] = reserved.id;
  headers['x-purser-provider'] = target.provider.name;
  headers['x-purser-model'] = target.model;
  headers['x-purser-attempts'] = String(passage.attempts);
  headers['x-purser-overhead-ms'] = (dispatched - call.arrivedMs).toFixed(2);
  if (target.price) {
    headers['x-purser-held-usd'] = formatUsd(reserved.held.nano_usd);
    if (costNanoUsd !== undefined) headers['x-purser-cost-usd'] = formatUsd(costNanoUsd);
  }
  if (estimate.boundSent) {
    headers['x-purser-max-tokens-applied'] = String(estimate.boundSent.tokens);
  }
  if (admission.wouldRefuse) headers['x-purser-would-refuse'] = admission.wouldRefuse;
  if (call.prompt) Object.assign(headers, call.prompt.headers);
  deps.budgetHeaders(reserved.envelopes, balances, reserved.timeMs, headers);
  if (deps.options.litellmHeaders) addLitellmHeaders(headers, passage);
  return headers;
}

/** content-type, retry-after, `openai-*`, `anthropic-*`; rate limits under a name of their own. */
export function passedHeaders(head: Head): Record<string, string> {
  const passed: Record<string, string> = {};
  const { headers } = head;
  for (const name in headers) {
    if (name === 'content-type' || name === 'retry-after') passed[name] = headers[name]!;
    else if (name.startsWith('openai-') || name.startsWith('anthropic-')) {
      if (name !== 'openai-organization') passed[name] = headers[name]!;
    } else if (name.startsWith('x-ratelimit-')) {
      passed[`x-upstream-${name.slice(2)}`] = headers[name]!;
    }
  }
  return passed;
}

export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

// For clients that read LiteLLM's names; what is unknown is left out here, too.
function addLitellmHeaders(headers: Record<string, string>, passage: Passage): void {
  const { call, target, attempts } = passage;
  headers['x-litellm-call-id'] = call.requestId;
  headers['x-litellm-model-id'] = target.id;
  headers['x-litellm-attempted-fallbacks'] = String(Math.max(0, attempts - 1));
  for (const [theirs, ours] of LITELLM_NAMES) {
    const value = headers[ours];
    if (value !== undefined) headers[theirs] = value;
  }
}

const LITELLM_NAMES = [
  ['x-litellm-response-cost', 'x-purser-cost-usd'],
  ['x-litellm-key-spend', 'x-purser-budget-spent-usd'],
  ['x-litellm-key-max-budget', 'x-purser-budget-limit-usd'],
] as const;
