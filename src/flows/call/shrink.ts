// Where a call does not fit and the configuration says `on_tight: shrink`: the longest answer that
// still fits is asked for instead. The prompt is never shrunk here, and a few words are no answer.

import type { Call, Estimate, Plan } from '../../core/call.js';
import type { Shortage } from '../../stores/ledger/ledger.js';
import { boundOf, longestWithin } from './output-bound.js';

const OUTPUT_TOKENS_MIN = 16;

/** Undefined: nothing worth asking for fits. */
export function shrink(
  call: Call,
  plan: Plan,
  estimate: Estimate,
  shortages: readonly Shortage[],
): Estimate | undefined {
  const { body } = call;
  const { inputTokens: input } = estimate;
  let tokens = estimate.outputTokensMax;
  for (const { unit, limit, committed, reserved } of shortages) {
    const room = limit - committed - reserved;
    if (unit === 'tokens') tokens = Math.min(tokens, Math.floor((room - input) / body.choices));
    else if (unit !== 'nano_usd') return undefined;
    else
      for (const target of plan.targets) tokens = longestWithin(room, target, body, input, tokens);
  }
  if (tokens < OUTPUT_TOKENS_MIN || tokens >= estimate.outputTokensMax) return undefined;
  const held = tokens * body.choices;
  const member = estimate.boundSent?.member ?? body.outputBound?.member;
  if (member === undefined) return undefined;
  const nano = Math.max(...plan.targets.map((target) => boundOf(target, body, input, held)));
  return {
    ...estimate,
    outputTokensMax: tokens,
    outputTokensHeld: held,
    boundSent: { member, tokens },
    hold: { ...estimate.hold, nano_usd: nano, tokens: input + held },
  };
}
