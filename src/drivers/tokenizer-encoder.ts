// tiktoken itself, for the loop and for the worker alike. Text is sliced before it is encoded, so
// that nothing is quadratic; the count is exact but for runs that had to be cut, where it is no
// less than the true one. Special tokens that a text spells out are counted as text.

import { createRequire } from 'node:module';
import type { Encoding } from '../rules/tokens/encoding.js';
import { CUT_TOKENS, slices } from '../rules/tokens/slices.js';

const require = createRequire(import.meta.url);

interface Ranks {
  bpe_ranks: string;
  special_tokens: Record<string, number>;
  pat_str: string;
}

export interface Encoder {
  count(text: string): number;
  /** The same in parts of some milliseconds each: the sum of what it yields. */
  parts(text: string): Generator<number>;
  free(): void;
}

/** Reads the ranks and builds the encoder; blocks its thread for 0.1 to 0.3 s. */
export function loadEncoder(encoding: Encoding): Encoder {
  const { Tiktoken } = require('tiktoken/lite') as typeof import('tiktoken/lite');
  const ranks = require(`tiktoken/encoders/${encoding}.json`) as Ranks;
  const tiktoken = new Tiktoken(ranks.bpe_ranks, ranks.special_tokens, ranks.pat_str);

  // A long run comes in equal slices: one is encoded, the others are known.
  function* parts(text: string): Generator<number> {
    let last = '';
    let tokens = 0;
    for (const slice of slices(text)) {
      if (slice.text !== last) {
        tokens = tiktoken.encode_ordinary(slice.text).length;
        last = slice.text;
      }
      yield slice.forced ? tokens + CUT_TOKENS : tokens;
    }
  }

  function count(text: string): number {
    let sum = 0;
    for (const tokens of parts(text)) sum += tokens;
    return sum;
  }

  return { count, parts, free: () => tiktoken.free() };
}
