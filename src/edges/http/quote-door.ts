// What a call would be told if it came now: its cost at most, the budgets that it would touch, and
// whether it would be admitted. The body is that of a chat completion; nothing is held or sent.

import type { Call } from '../../core/call.js';
import { available } from '../../core/envelope.js';
import { isRefused, type Refused } from '../../core/errors.js';
import { formatUsd } from '../../core/money.js';
import type { Quote } from '../../flows/call/quote.js';
import type { EnvelopeState } from './caller-doors.js';
import { budgetJson } from './caller-doors.js';
import { answerJson, answerProblem, type Exchange } from './exchange.js';
import { type ProxyDeps, type ProxyOptions, readCall } from './proxy.js';

export interface QuoteDeps extends Omit<ProxyDeps, 'handle'> {
  quote(call: Call): Promise<Quote | Refused>;
  /** The envelopes of a quote with what they have and when they begin anew. */
  states(quote: Quote): readonly EnvelopeState[];
}

export type QuoteDoor = (exchange: Exchange) => Promise<void>;

export function createQuoteDoor(deps: QuoteDeps, options: ProxyOptions): QuoteDoor {
  return async (exchange) => {
    const read = await readCall(exchange, 'chat', deps, options);
    if (read === undefined) return;
    if (isRefused(read)) return answerProblem(exchange, read.refused);
    const quote = await deps.quote(read);
    if (isRefused(quote)) return answerProblem(exchange, quote.refused);
    answerJson(exchange, 200, quoteJson(quote, deps.states(quote)));
  };
}

function quoteJson({ estimate, refusal }: Quote, states: readonly EnvelopeState[]): object {
  const { hold, inputTokens, inputExact, outputTokensMax } = estimate;
  const shown = states.filter(({ envelope }) => envelope.visible);
  return {
    object: 'budget.quote',
    admitted: refusal === null,
    reason: refusal?.refused.code ?? null,
    message: refusal?.refused.message ?? null,
    held_usd: formatUsd(hold.nano_usd),
    held_tokens: hold.tokens,
    input_tokens: inputTokens,
    input_exact: inputExact,
    output_tokens_bound: outputTokensMax,
    envelopes: shown.map((state) => ({
      ...budgetJson(state),
      needed:
        state.envelope.unit === 'nano_usd' ? formatUsd(hold.nano_usd) : hold[state.envelope.unit],
      fits: fits(state, hold[state.envelope.unit]),
    })),
  };
}

function fits({ envelope, balance }: EnvelopeState, needed: number): boolean {
  const left = available(balance);
  return envelope.mode === 'warn' || left === null || (balance.limit !== 0 && needed <= left);
}
