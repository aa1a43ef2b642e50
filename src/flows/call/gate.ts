// Keeps a stream within its hold. The hold covers so much output; at 80 % and 90 % of it more is
// asked for without waiting, and at 100 % the stream waits for the answer: what fits is granted,
// and where nothing fits the money ends here (ledger.md, 2; RFC 8506 calls it the final unit).

import type { Amounts } from '../../core/amount.js';
import { inputTokens } from '../../core/usage.js';
import { fittingTokens } from '../../rules/budget/fitting-tokens.js';
import { charge } from '../../rules/catalog/charge.js';
import { LedgerUnavailable, type Shortage } from '../../stores/ledger/ledger.js';
import type { Meter } from './meter.js';
import { boundOf } from './output-bound.js';
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
  #covered: number;
  readonly #most: number;
  readonly #tranche: number;
  /** What is held for this answer and its prompt. */
  #hold: { nano_usd: number; tokens: number };
  #asked = 0;
  #asking: Promise<unknown> | undefined;
  #promptKnown = false;

  constructor(passage: Passage, meter: Meter) {
    const { estimate, held, billed } = passage;
    this.#passage = passage;
    this.#meter = meter;
    this.#covered = estimate.outputTokensHeld;
    this.#most = estimate.outputTokensMax;
    this.#tranche = estimate.outputTokensHeld;
    // The prompts of attempts before this one are held beside it.
    this.#hold = { nano_usd: held.nano_usd - billed.nano_usd, tokens: held.tokens - billed.tokens };
  }

  isSafe(bytes: number): boolean {
    return this.#meter.outputAtMost() + bytes <= this.#covered * (ASK_AT[0] ?? 1);
  }

  admit(): boolean | Promise<boolean> {
    if (this.isSafe(0)) return true;
    const counted = this.#meter.output();
    return typeof counted === 'number' ? this.#judge(counted) : counted.then((n) => this.#judge(n));
  }

  #judge(output: number): boolean | Promise<boolean> {
    // What the upstream was told as its bound is held whole: it ends by itself.
    if (this.#covered >= this.#most) return true;
    this.#learnPrompt();
    if (output > this.#covered) return this.#more(output);
    const due = ASK_AT.filter((share) => output >= share * this.#covered).length;
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

  // A prompt that turns out dearer than was held for it leaves less for the answer; one that is
  // cheaper leaves more, which the next ask finds.
  #learnPrompt(): void {
    if (this.#promptKnown || !this.#meter.prompt()) return;
    this.#promptKnown = true;
    const { nano_usd: nano, tokens } = this.#hold;
    const fits = Math.min(this.#fitting('nano_usd', nano), this.#fitting('tokens', tokens));
    this.#covered = Math.max(0, Math.min(this.#covered, this.#covered + fits));
  }

  async #more(output: number): Promise<boolean> {
    await this.#asking;
    for (let asks = 0; output > this.#covered && asks < ASKS_MAX; asks += 1) {
      const missing = output - this.#covered;
      if (!(await this.#ask(Math.max(missing, this.#tranche)))) break;
    }
    return output <= this.#covered;
  }

  /** Asks for so many tokens, or for what fits; false where nothing was granted. */
  async #ask(wanted: number): Promise<boolean> {
    let tokens = Math.min(wanted, this.#most - this.#covered);
    for (let asks = 0; tokens > 0 && asks < ASKS_MAX; asks += 1) {
      const answer = await this.#extend(tokens);
      if (answer === 'granted') return true;
      if (answer === 'gone') return false;
      const { nano_usd: nano, tokens: held } = this.#hold;
      const fitting = fittingTokens(answer, {
        nano_usd: (room) => this.#fitting('nano_usd', nano + room),
        tokens: (room) => this.#fitting('tokens', held + room),
      });
      tokens = Math.min(tokens - 1, fitting);
    }
    return false;
  }

  async #extend(tokens: number): Promise<'granted' | 'gone' | readonly Shortage[]> {
    const { deps, admission } = this.#passage;
    const needed = this.#costOf(this.#covered + tokens);
    const more: Amounts = {
      nano_usd: Math.max(0, needed.nano_usd - this.#hold.nano_usd),
      tokens: Math.max(0, needed.tokens - this.#hold.tokens),
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
    this.#hold.nano_usd += more.nano_usd;
    this.#hold.tokens += more.tokens;
    const { held } = this.#passage;
    this.#passage.held = {
      ...held,
      nano_usd: held.nano_usd + more.nano_usd,
      tokens: held.tokens + more.tokens,
    };
    this.#covered += tokens;
    this.#asked = 0;
    return 'granted';
  }

  /** What prompt and answer come to: the prompt as it is told, else as it was bounded. */
  #costOf(output: number): { nano_usd: number; tokens: number } {
    const { target, estimate, call } = this.#passage;
    const prompt = this.#meter.prompt();
    if (!prompt) {
      const input = estimate.inputTokens;
      return { nano_usd: boundOf(target, call.body, input, output), tokens: input + output };
    }
    const nano = target.price ? charge(target.price, { ...prompt, output }) : 0;
    return { nano_usd: nano, tokens: inputTokens(prompt) + output };
  }

  /** How many more tokens of answer so much of a unit pays for; negative where it is too little. */
  #fitting(unit: 'nano_usd' | 'tokens', amount: number): number {
    const now = this.#costOf(this.#covered);
    if (unit === 'tokens') return amount - now.tokens;
    // By the price of a thousand tokens more: it is the same for each.
    const step = this.#costOf(this.#covered + 1000).nano_usd - now.nano_usd;
    if (step <= 0) return Number.MAX_SAFE_INTEGER;
    const tokens = Math.floor(((amount - now.nano_usd) * 1000) / step);
    // Both costs are rounded up: one token more may fit.
    const next = this.#covered + tokens + 1;
    return next > 0 && this.#costOf(next).nano_usd <= amount ? tokens + 1 : tokens;
  }
}
