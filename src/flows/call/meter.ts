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
  /** A bound on them that costs nothing: a token is at least one byte. */
  outputAtMost(): number;
  /** The final usage: the provider's, else all that passed, counted. */
  finish(): Promise<Metered>;
}

type CountText = (text: string, target: Target) => number | Promise<number>;

export function createMeter(
  source: MeterSource,
  target: Target,
  estimate: Estimate,
  countText: CountText,
): Meter {
  return new StreamMeter(source, target, estimate, countText);
}

class StreamMeter implements Meter {
  readonly #source: MeterSource;
  readonly #target: Target;
  readonly #estimate: Estimate;
  readonly #countText: CountText;
  #counted = 0;
  #pending = '';
  #pendingBytes = 0;
  /** Counts that are still under way. */
  #counting: Promise<unknown> | undefined;

  constructor(source: MeterSource, target: Target, estimate: Estimate, countText: CountText) {
    this.#source = source;
    this.#target = target;
    this.#estimate = estimate;
    this.#countText = countText;
  }

  seen(): Amounts {
    this.#count();
    return amountsOf(this.#target, this.#soFar(), this.#source.serviceTier);
  }

  output(): number | Promise<number> {
    const before = this.#counting;
    this.#count();
    const now = this.#counting as Promise<unknown> | undefined;
    return now === before || !now ? this.#counted : now.then(() => this.#counted);
  }

  prompt(): Usage | undefined {
    return this.#source.inputUsage;
  }

  outputAtMost(): number {
    const text = this.#source.takeText();
    if (text !== '') {
      this.#pending += text;
      this.#pendingBytes += Buffer.byteLength(text);
    }
    return this.#counted + this.#pendingBytes;
  }

  async finish(): Promise<Metered> {
    const { usage, serviceTier } = this.#source;
    if (usage) return { usage, source: 'provider', serviceTier };
    this.#count();
    await this.#counting;
    const counted = this.#estimate.inputExact ? 'counted' : 'estimated';
    return { usage: this.#soFar(), source: counted, serviceTier };
  }

  #count(): void {
    const text = this.#pending + this.#source.takeText();
    this.#pending = '';
    this.#pendingBytes = 0;
    if (text === '') return;
    const tokens = this.#countText(text, this.#target);
    if (typeof tokens === 'number') {
      this.#counted += tokens;
      return;
    }
    const late = tokens.then((count) => {
      this.#counted += count;
    });
    this.#counting = this.#counting ? Promise.all([this.#counting, late]) : late;
    // Whoever awaits the end hears of a count that failed; until then nobody does, and a
    // rejection that nobody hears ends the process.
    this.#counting.catch(() => undefined);
  }

  #soFar(): Usage {
    const { usage, inputUsage } = this.#source;
    if (usage) return usage;
    const input = inputUsage ?? { ...NO_USAGE, input: this.#estimate.inputTokens };
    return { ...input, output: this.#counted, requests: 1 };
  }
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
