// How much output a call may bring at most: what is held, and what the upstream is told.

import type { Call, CallBody, Caller, Estimate, Target } from '../../core/call.js';
import { type Refused, refuse } from '../../core/errors.js';
import { formatUsd } from '../../core/money.js';
import { chargeBound } from '../../rules/catalog/charge.js';
import { possiblePrices } from '../../rules/catalog/tier-rates.js';
import type { CallDeps, InputCount } from './deps.js';

// The client's own bound, else the agent's, else the catalog's, else the default; never above what
// the context window leaves. Only an exact count may shrink it: a bound by bytes is several times
// too high and would refuse prompts that fit.
export function outputBound(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  target: Target,
  input: InputCount,
): { tokens: number; sent: Estimate['boundSent'] } | Refused {
  if (call.operation === 'embeddings') return { tokens: 0, sent: null };
  const own = call.body.outputBound;
  const member = own?.member ?? boundMember(call, target);
  const agentMax = caller.modelConfig.max_tokens;
  const chosen =
    own?.tokens ??
    (typeof agentMax === 'number' && Number.isSafeInteger(agentMax) && agentMax > 0
      ? agentMax
      : undefined) ??
    target.price?.outputTokensMax ??
    deps.options.outputTokensMaxDefault;
  const context = target.price?.contextTokens;
  const room = context !== undefined && input.exact ? context - input.tokens : chosen;
  if (room <= 0) {
    return refuse(
      'context_length_exceeded',
      `The prompt has ${input.tokens} tokens; ${target.model} takes ${context} with its answer.`,
      { param: 'messages' },
    );
  }
  const tokens = affordable(call, target, input.tokens, Math.min(chosen, room));
  if (typeof tokens !== 'number') return tokens;
  const unchanged = own !== undefined && own.tokens === tokens;
  return { tokens, sent: unchanged ? null : { member, tokens } };
}

function boundMember({ operation }: Call, target: Target): string {
  if (operation === 'responses') return 'max_output_tokens';
  return operation === 'chat' ? target.provider.quirks.outputBoundMember : 'max_tokens';
}

// `x-purser-max-cost-usd`: the longest answer whose cost stays within it.
function affordable(call: Call, target: Target, input: number, tokens: number): number | Refused {
  const { maxCostNanoUsd: most, body } = call;
  if (most === undefined || !target.price) return tokens;
  const fitting = longestWithin(most, target, body, input, tokens);
  if (fitting > 0) return fitting;
  const limit = formatUsd(most);
  const requested = formatUsd(boundOf(target, body, input, 1));
  return refuse(
    'request_exceeds_budget',
    `The prompt and one token cost up to ${requested} USD; x-purser-max-cost-usd is ${limit}.`,
    {
      param: 'x-purser-max-cost-usd',
      metadata: { scope: 'request', unit: 'usd', limit, requested },
    },
  );
}

/** The most output a choice, up to `tokens`, whose bound costs no more than `most`; 0 if none. */
export function longestWithin(
  most: number,
  target: Target,
  body: CallBody,
  input: number,
  tokens: number,
): number {
  const fits = (output: number) => boundOf(target, body, input, output * body.choices) <= most;
  if (tokens < 1 || fits(tokens)) return Math.max(0, tokens);
  let [low, high] = [0, tokens];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle;
  }
  return low;
}

// Hosted tools are billed by the run, and a prompt that may be written to a cache at its dearer
// rate; the tier of service may be any that the call leaves open. `output` is of all choices.
export function boundOf(
  target: Target,
  body: CallBody,
  input: number,
  output: number,
  isStrict = false,
): number {
  if (!target.price) return 0;
  const webSearches = body.hostedTools?.webSearchesMax ?? 0;
  const bounds = possiblePrices(target.price, body.json.service_tier, isStrict).map((price) => {
    const cacheWrites = body.cacheWrites === true || price.cacheWrite5m !== undefined;
    return chargeBound(price, input, output, 1, { cacheWrites, webSearches });
  });
  return Math.max(...bounds);
}
