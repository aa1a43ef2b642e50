// Keeps a stream within its hold. The hold covers so much output; at 80 % and 90 % of it more is
// asked for without waiting, and at 100 % the stream waits for the answer: what fits is granted,
// and where nothing fits the money ends here (ledger.md, 2; RFC 8506 calls it the final unit).

import type { Amounts } from '../../core/amount.js';
import { fittingTokens } from '../../rules/budget/fitting-tokens.js';
import { chargeBound } from '../../rules/catalog/charge.js';
import { LedgerUnavailable, type Shortage } from '../../stores/ledger/ledger.js';
import type { Meter } from './meter.js';
import type { Passage } from './passage.js';

export interface Gate {
  /** Whether so many more bytes of the stream surely fit, whatever is in them. */
  isSafe(bytes: number): boolean;
  /** After an event: whether it fits. False: the money ends before it. */
  admit(): boolean | Promise<boolean>;
}

const ASK_AT = [0.8, 0.9];
const ASKS_MAX = 4;

/** A gate that never closes: the whole bound is held, or nothing limits the call. */
const OPEN: Gate = { isSafe: () => true, admit: () => true };

export function createGate(passage: Passage, meter: Meter): Gate {
  const { estimate, call } = passage;
  if (estimate.outputTokensHeld >= estimate.outputTokensMax * call.body.choices) return OPEN;
  return new TrancheGate(passage, meter);
}

class TrancheGate implements Gate {
  readonly #passage: Passage;
  readonly #meter: Meter;
  /** Output tokens that the hold covers, and the most that the upstream was told. */
  #held: number;
  readonly #most: number;
  readonly #tranche: number;
  #asked = 0;
  #asking: Promise<unknown> | undefined;

  constructor(passage: Passage, meter: Meter) {
    const { estimate } = passage;
    this.#passage = passage;
    this.#meter = meter;
    this.#held = estimate.outputTokensHeld;
    this.#most = estimate.outputTokensMax;
    this.#tranche = estimate.outputTokensHeld;
  }

  isSafe(bytes: number): boolean {
    return this.#meter.outputAtMost() + bytes <= this.#held * (ASK_AT[0] ?? 1);
  }

  admit(): boolean | Promise<boolean> {
    if (this.isSafe(0)) return true;
    const counted = this.#meter.output();
    return typeof counted === 'number' ? this.#judge(counted) : counted.then((n) => this.#judge(n));
  }

  #judge(output: number): boolean | Promise<boolean> {
    // What the upstream was told as its bound is held whole: it ends by itself.
    if (this.#held >= this.#most) return true;
    if (output > this.#held) return this.#more(output);
    const due = ASK_AT.filter((share) => output >= share * this.#held).length;
    if (due > this.#asked && !this.#asking) {
      this.#asked = due;
      this.#asking = this.#ask(this.#tranche).finally(() => {
        this.#asking = undefined;
      });
      // Heard at 100 %, where it is awaited; until then nobody waits.
      this.#asking.catch(() => undefined);
    }
    return true;
  }

  async #more(output: number): Promise<boolean> {
    await this.#asking;
    for (let asks = 0; output > this.#held && asks < ASKS_MAX; asks += 1) {
      const missing = output - this.#held;
      if (!(await this.#ask(Math.max(missing, this.#tranche)))) return output <= this.#held;
    }
    return output <= this.#held;
  }

  /** Asks for so many tokens, or for what fits; false where nothing was granted. */
  async #ask(wanted: number): Promise<boolean> {
    let tokens = Math.min(wanted, this.#most - this.#held);
    for (let asks = 0; tokens > 0 && asks < ASKS_MAX; asks += 1) {
      const answer = await this.#extend(tokens);
      if (answer === 'granted') return true;
      if (answer === 'gone') return false;
      tokens = Math.min(
        tokens - 1,
        fittingTokens(answer, (nano) => this.#tokensFor(nano)),
      );
    }
    return false;
  }

  async #extend(tokens: number): Promise<'granted' | 'gone' | readonly Shortage[]> {
    const { deps, admission } = this.#passage;
    const more: Amounts = {
      nano_usd: this.#priceOf(this.#held + tokens) - this.#priceOf(this.#held),
      tokens,
      requests: 0,
      concurrency: 0,
    };
    const { id } = admission.reserved;
    try {
      const reply = await deps.ledger.extend({ id, more, leaseMs: deps.options.leaseMs });
      if (reply.answer === 'DENIED') return reply.shortages ?? [];
      if (reply.answer !== 'EXTENDED') return 'gone';
    } catch (error) {
      // A stream that runs goes on while the ledger is away; what it costs is booked afterwards.
      if (!(error instanceof LedgerUnavailable)) throw error;
    }
    const { held } = this.#passage;
    this.#passage.held = {
      ...held,
      nano_usd: held.nano_usd + more.nano_usd,
      tokens: held.tokens + more.tokens,
    };
    this.#held += tokens;
    this.#asked = 0;
    return 'granted';
  }

  #priceOf(output: number): number {
    const { target, estimate } = this.#passage;
    return target.price ? chargeBound(target.price, estimate.inputTokens, output) : 0;
  }

  // By the price of a thousand tokens more: bounds are linear between the tiers of a price.
  #tokensFor(nanoUsd: number): number {
    const step = this.#priceOf(this.#held + 1000) - this.#priceOf(this.#held);
    return step <= 0 ? Number.MAX_SAFE_INTEGER : Math.floor((nanoUsd * 1000) / step);
  }
}
