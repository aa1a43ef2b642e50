// What the call can cost at most: its prompt counted, its output bounded, the dearest target of
// the plan priced. What is held here is what the upstream is told as its bound.

import { type Amounts, maxAmounts } from '../../core/amount.js';
import type { Call, CallBody, Caller, Estimate, Plan, Target } from '../../core/call.js';
import { type Refused, refuse } from '../../core/errors.js';
import type { Price } from '../../core/price.js';
import { NO_USAGE } from '../../core/usage.js';
import { charge, chargeBound } from '../../rules/catalog/charge.js';
import type { CallDeps, InputCount } from './deps.js';

export async function estimate(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  plan: Plan,
): Promise<Estimate | Refused> {
  const unbounded = refuseUnbounded(caller, call.body);
  if (unbounded) return unbounded;
  let total: Estimate | undefined;
  for (const target of plan.targets) {
    const unpriced = refuseUnpriced(caller, target);
    if (unpriced) return unpriced;
    const counted = deps.countInput(call, target);
    const input = typeof counted === 'object' && 'then' in counted ? await counted : counted;
    const one = estimateFor(deps, call, caller, target, input);
    if ('refused' in one) return one;
    total = total === undefined ? one : dearer(total, one);
  }
  return total ?? refuse('model_not_found', `No target serves ${call.body.model}.`);
}

function estimateFor(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  target: Target,
  input: InputCount,
): Estimate | Refused {
  const bound = outputBound(deps, call, caller, target, input);
  if ('refused' in bound) return bound;
  const { body } = call;
  const nano = target.price ? boundOf(target.price, body, input.tokens, bound.tokens) : 0;
  return {
    inputTokens: input.tokens,
    inputExact: input.exact,
    outputTokensMax: bound.tokens,
    boundSent: bound.sent,
    hold: {
      nano_usd: nano,
      tokens: input.tokens + bound.tokens * body.choices,
      requests: 1,
      concurrency: 1,
    },
    floor: promptAmounts(target, input.tokens),
  };
}

// Hosted tools are billed by the run, and a prompt that may be written to a cache at its dearer rate.
function boundOf(price: Price, body: CallBody, input: number, output: number): number {
  const cacheWrites = body.cacheWrites === true || price.cacheWrite5m !== undefined;
  const webSearches = body.hostedTools?.webSearchesMax ?? 0;
  return chargeBound(price, input, output, body.choices, { cacheWrites, webSearches });
}

// What has no bound cannot be held: in block mode it is refused.
function refuseUnbounded(caller: Caller, body: CallBody): Refused | undefined {
  const { hostedTools } = body;
  if (!hostedTools || hostedTools.callsMax !== null) return undefined;
  const strict = caller.envelopes.find(({ mode, limit }) => mode === 'block' && limit !== null);
  if (!strict) return undefined;
  return refuse(
    'unsupported_parameter',
    `Tools that the provider runs need a bound, because ${strict.scope} is a budget: ` +
      'set max_tool_calls (responses) or max_uses (messages).',
    { param: 'tools' },
  );
}

/** What a prompt costs that was sent and brought nothing back. */
export function promptAmounts(target: Target, tokens: number): Amounts {
  const usage = { ...NO_USAGE, input: tokens, requests: 1 };
  const nano = target.price ? charge(target.price, usage) : 0;
  return { nano_usd: nano, tokens, requests: 1, concurrency: 0 };
}

// The client's own bound, else the agent's, else the catalog's, else the default; never above what
// the context window leaves. Only an exact count may shrink it: a bound by bytes is several times
// too high and would refuse prompts that fit.
function outputBound(
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
  const tokens = Math.min(chosen, room);
  const unchanged = own !== undefined && own.tokens === tokens;
  return { tokens, sent: unchanged ? null : { member, tokens } };
}

function boundMember({ operation }: Call, target: Target): string {
  if (operation === 'responses') return 'max_output_tokens';
  return operation === 'chat' ? target.provider.quirks.outputBoundMember : 'max_tokens';
}

// One body goes to every target of the plan, so the tightest bound is sent to all of them.
function dearer(left: Estimate, right: Estimate): Estimate {
  const tight = left.outputTokensMax <= right.outputTokensMax ? left : right;
  return {
    inputTokens: Math.max(left.inputTokens, right.inputTokens),
    inputExact: left.inputExact && right.inputExact,
    outputTokensMax: tight.outputTokensMax,
    boundSent: tight.boundSent,
    hold: maxAmounts(left.hold, right.hold),
    floor: maxAmounts(left.floor, right.floor),
  };
}

function refuseUnpriced(caller: Caller, target: Target): Refused | undefined {
  if (target.price) return undefined;
  const money = caller.envelopes.find((e) => e.unit === 'nano_usd' && e.mode === 'block');
  if (!money) return undefined;
  return refuse(
    'model_not_priced',
    `${target.id} has no price, and ${money.scope} is a budget in USD. ` +
      `Give it one under \`prices:\` in the configuration, for example ` +
      `"${target.id}: { input: 1, output: 4 }" (USD per million tokens).`,
    { param: 'model' },
  );
}
