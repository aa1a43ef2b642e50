// What the call can cost at most: its prompt counted, its output bounded, the dearest target of
// the plan priced. What is held here is what the upstream is told as its bound.

import { type Amounts, maxAmounts } from '../../core/amount.js';
import type { Call, CallBody, Caller, Estimate, Plan, Target } from '../../core/call.js';
import { type Refused, refuse } from '../../core/errors.js';
import { NO_USAGE } from '../../core/usage.js';
import { charge } from '../../rules/catalog/charge.js';
import { tokensWithin } from '../../rules/tokens/calibrate.js';
import type { CallDeps, InputCount } from './deps.js';
import { boundOf, outputBound } from './output-bound.js';

/** At once where the prompt's tokens are known or few, which is nearly always. */
export function estimate(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  plan: Plan,
): Estimate | Refused | Promise<Estimate | Refused> {
  const unbounded = refuseUnbounded(caller, call.body);
  return unbounded ?? estimateFrom(0, undefined);

  function estimateFrom(
    first: number,
    before: Estimate | undefined,
  ): Estimate | Refused | Promise<Estimate | Refused> {
    let total = before;
    for (let index = first; index < plan.targets.length; index += 1) {
      const target = plan.targets[index]!;
      const unpriced = deps.options.dry ? undefined : refuseUnpriced(caller, target);
      if (unpriced) return unpriced;
      const counted = deps.countInput(call, target);
      if (counted instanceof Promise) {
        return counted.then((input) => {
          const one = estimateFor(deps, call, caller, target, input);
          return 'refused' in one ? one : estimateFrom(index + 1, total ? dearer(total, one) : one);
        });
      }
      const one = estimateFor(deps, call, caller, target, counted);
      if ('refused' in one) return one;
      total = total === undefined ? one : dearer(total, one);
    }
    return total ?? refuse('model_not_found', `No target serves ${call.body.model}.`);
  }
}

function estimateFor(
  deps: CallDeps,
  call: Call,
  caller: Caller,
  target: Target,
  counted: InputCount,
): Estimate | Refused {
  const input = calibrated(deps, caller, target, counted);
  const bound = outputBound(deps, call, caller, target, input);
  if ('refused' in bound) return bound;
  const { body } = call;
  const all = bound.tokens * body.choices;
  const held = holdsWhole(caller, body, target)
    ? all
    : Math.min(all, tranche(deps, caller, target));
  return {
    inputTokens: input.tokens,
    inputExact: input.exact,
    ...(input.text && { inputText: new Map([[target.id, input.text]]) }),
    outputTokensMax: bound.tokens,
    outputTokensHeld: held,
    boundSent: bound.sent,
    hold: {
      nano_usd: boundOf(target, body, input.tokens, held, isStrict(caller)),
      tokens: input.tokens + held,
      requests: 1,
      concurrency: 1,
    },
    floor: promptAmounts(target, input.tokens),
  };
}

// Bytes bound every tokenizer, several times too high; what its provider told of a model is closer.
// Strict envelopes are never over, so that they take nothing that is only likely.
function calibrated(deps: CallDeps, caller: Caller, target: Target, input: InputCount): InputCount {
  const factor = input.text && deps.calibration.factor(target.id);
  if (!input.text || factor === undefined) return input;
  if (isStrict(caller)) return input;
  return { ...input, tokens: Math.min(input.tokens, tokensWithin(input.text, factor)) };
}

// Only a stream can be cut, and only if what it bills can be seen passing (ledger.md, How much is
// held). Strict envelopes are never over at any instant.
function holdsWhole(caller: Caller, body: CallBody, target: Target): boolean {
  if (!body.stream || body.choices > 1 || body.hostedTools) return true;
  if (body.hiddenOutput || target.price?.hiddenOutput) return true;
  return isStrict(caller);
}

function isStrict({ envelopes }: Caller): boolean {
  return envelopes.some(({ strict }) => strict);
}

const TRANCHE_TOKENS_MIN = 256;

function tranche(deps: CallDeps, caller: Caller, target: Target): number {
  const usual = deps.outputSizes.usual(sizesKey(caller, target));
  return Math.max(TRANCHE_TOKENS_MIN, usual ?? 0);
}

/** Whose answers are alike in length: those of one agent by one model. */
export function sizesKey(caller: Caller, target: Target): string {
  return `${caller.attribution.agentId ?? caller.keyId} ${target.id}`;
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

// One body goes to every target of the plan, so the tightest bound is sent to all of them.
function dearer(left: Estimate, right: Estimate): Estimate {
  const tight = left.outputTokensMax <= right.outputTokensMax ? left : right;
  return {
    inputTokens: Math.max(left.inputTokens, right.inputTokens),
    inputExact: left.inputExact && right.inputExact,
    inputText: new Map([...(left.inputText ?? []), ...(right.inputText ?? [])]),
    outputTokensMax: tight.outputTokensMax,
    outputTokensHeld: Math.max(left.outputTokensHeld, right.outputTokensHeld),
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
