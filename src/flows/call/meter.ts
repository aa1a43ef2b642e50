// Reads what a call has used as it passes: the provider's own usage once it tells, and until then
// the output counted locally, so that an abort is charged and a reap knows what was seen.

import type { Amounts } from '../../core/amount.js';
import type { Estimate, Target } from '../../core/call.js';
import {
  inputTokens,
  NO_USAGE,
  outputTokens,
  type Usage,
  type UsageSource,
} from '../../core/usage.js';
import { charge } from '../../rules/catalog/charge.js';
import { priceAt } from '../../rules/catalog/tier-rates.js';

/** Where the meter reads from: a stream's reader, or a whole answer. */
export interface MeterSource {
  takeText(): string;
  readonly usage: Usage | undefined;
  /** The prompt's classes where they are told before the output's. */
  readonly inputUsage?: Usage | undefined;
  /** The tier of service that is reported. */
  readonly serviceTier?: string | undefined;
}

export interface Metered {
  usage: Usage;
  source: UsageSource;
  serviceTier?: string | undefined;
}

export interface Meter {
  /** Spend as far as it is counted now; starts counting what came since. */
  seen(): Amounts;
  /** Output tokens that passed, counted now. */
  output(): number | Promise<number>;
  /** The prompt as its provider tells it, once it does; without output. */
  prompt(): Usage | undefined;
  /** A bound on them that costs nothing: a token is at least one byte, and a unit at most three. */
  outputAtMost(): number;
  /** The final usage: the provider's, else all that passed, counted. */
  finish(): Promise<Metered>;
}

const UTF8_BYTES_A_UNIT = 3;

export function createMeter(
  source: MeterSource,
  target: Target,
  estimate: Estimate,
  countText: (text: string) => number | Promise<number>,
): Meter {
  let counted = 0;
  let pending = '';
  let counting: Promise<unknown> = Promise.resolve();
  const addLate = (late: number): void => {
    counted += late;
  };

  const count = (): void => {
    const text = pending + source.takeText();
    pending = '';
    if (text === '') return;
    const tokens = countText(text);
    if (typeof tokens === 'number') counted += tokens;
    else {
      counting = Promise.all([counting, tokens.then(addLate)]);
      // Whoever awaits the end hears of a count that failed; until then nobody does, and a
      // rejection that nobody hears ends the process.
      counting.catch(() => undefined);
    }
  };
  const soFar = (): Usage =>
    source.usage ?? {
      ...(source.inputUsage ?? { ...NO_USAGE, input: estimate.inputTokens }),
      output: counted,
      requests: 1,
    };
  return {
    seen() {
      count();
      return amountsOf(target, soFar(), source.serviceTier);
    },
    output() {
      const before = counting;
      count();
      return counting === before ? counted : counting.then(() => counted);
    },
    prompt: () => source.inputUsage,
    outputAtMost() {
      pending += source.takeText();
      return counted + pending.length * UTF8_BYTES_A_UNIT;
    },
    async finish() {
      const { serviceTier } = source;
      if (source.usage) return { usage: source.usage, source: 'provider', serviceTier };
      count();
      await counting;
      const counted = estimate.inputExact ? 'counted' : 'estimated';
      return { usage: soFar(), source: counted, serviceTier };
    },
  };
}

/** Usage as what envelopes count: priced money, all tokens, one request. */
export function amountsOf(target: Target, usage: Usage, serviceTier?: string): Amounts {
  return {
    nano_usd: target.price ? charge(priceAt(target.price, serviceTier), usage) : 0,
    tokens: inputTokens(usage) + outputTokens(usage),
    requests: 1,
    concurrency: 0,
  };
}
