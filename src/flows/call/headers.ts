// The headers of an answer: ours about the call and its budgets, and the few of the upstream's
// that may travel on.

import type { Target } from '../../core/call.js';
import type { Balance } from '../../core/envelope.js';
import { headerLine, headersIn } from '../../core/header-text.js';
import { formatUsd } from '../../core/money.js';
import type { Head } from './exchange.js';
import type { Passage } from './passage.js';

/**
 * What can be said of every admitted call, as lines of a head. `costNanoUsd` where it is known
 * before the body.
 */
export function answerLines(
  passage: Passage,
  balances: readonly Balance[],
  costNanoUsd?: number,
): string {
  const { deps, admission, estimate, target, call } = passage;
  const { reserved } = admission;
  const dispatched = passage.dispatchedMs || deps.clock.elapsedMs();
  const overheadMs = (dispatched - call.arrivedMs).toFixed(2);
  let lines = targetLines(target);
  lines += `x-purser-reservation-id: ${reserved.id}\r\nx-purser-overhead-ms: ${overheadMs}\r\n`;
  lines += `x-purser-attempts: ${passage.attempts}\r\n`;
  if (target.price) {
    lines += `x-purser-held-usd: ${formatUsd(reserved.held.nano_usd)}\r\n`;
    if (costNanoUsd !== undefined) lines += `x-purser-cost-usd: ${formatUsd(costNanoUsd)}\r\n`;
  }
  if (estimate.boundSent) {
    lines += `x-purser-max-tokens-applied: ${estimate.boundSent.tokens}\r\n`;
  }
  if (admission.wouldRefuse) lines += headerLine('x-purser-would-refuse', admission.wouldRefuse);
  if (call.prompt) lines += linesOf(call.prompt.headers);
  lines += deps.budgetLines(reserved.envelopes, balances, reserved.timeMs);
  return deps.options.litellmHeaders ? lines + litellmLines(headersIn(lines), passage) : lines;
}

function linesOf(headers: Readonly<Record<string, string>>): string {
  let lines = '';
  for (const name in headers) lines += headerLine(name, headers[name]!);
  return lines;
}

const known = new WeakMap<Target, string>();

function targetLines(target: Target): string {
  let lines = known.get(target);
  if (lines === undefined) {
    const provider = headerLine('x-purser-provider', target.provider.name);
    lines = provider + headerLine('x-purser-model', target.model);
    known.set(target, lines);
  }
  return lines;
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
function litellmLines(told: Record<string, string>, passage: Passage): string {
  const { call, target, attempts } = passage;
  const headers: Record<string, string> = {
    'x-litellm-call-id': call.requestId,
    'x-litellm-model-id': target.id,
    'x-litellm-attempted-fallbacks': String(Math.max(0, attempts - 1)),
  };
  for (const [theirs, ours] of LITELLM_NAMES) {
    const value = told[ours];
    if (value !== undefined) headers[theirs] = value;
  }
  return linesOf(headers);
}

const LITELLM_NAMES = [
  ['x-litellm-response-cost', 'x-purser-cost-usd'],
  ['x-litellm-key-spend', 'x-purser-budget-spent-usd'],
  ['x-litellm-key-max-budget', 'x-purser-budget-limit-usd'],
] as const;
