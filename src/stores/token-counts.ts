// Token counts remembered by the content of the text: a conversation grows by a message a turn,
// and only the new message is counted. The least recently used are forgotten; what is held is
// bounded in bytes. No text as long as a hash is kept.

import { hash } from 'node:crypto';
import { assert } from '../core/assert.js';
import type { Tokenizer } from '../drivers/tokenizer.js';
import { type Encoding, tokensBound } from '../rules/tokens/encoding.js';
import { RememberedCounts } from './remembered-counts.js';

export interface TokenCountsOptions {
  tokenizer: Pick<Tokenizer, 'countAll'>;
  bytesMax?: number;
}

export interface TokenCounts {
  /**
   * The tokens of all pieces: at once where all are known or what is not is little, else a
   * promise. Without an encoding: their UTF-8 bytes, which no tokenizer exceeds.
   */
  countPieces(encoding: Encoding | undefined, pieces: readonly string[]): number | Promise<number>;
  /** The same for each text by itself, in their order. */
  countEach(
    encoding: Encoding | undefined,
    texts: readonly string[],
  ): readonly number[] | Promise<readonly number[]>;
  /** For metrics: what is held, and how often a piece was known. */
  state(): { entries: number; bytes: number; hits: number; misses: number };
}

const BYTES_MAX = 32 * 1024 * 1024;
/** Shorter texts are their own key; a longer one's key, a byte a unit, is exactly as long. */
const KEY_UNITS = 32;

export function createTokenCounts(options: TokenCountsOptions): TokenCounts {
  const { tokenizer } = options;
  const known = new RememberedCounts(options.bytesMax ?? BYTES_MAX);
  let [hits, misses] = [0, 0];

  function countPieces(
    encoding: Encoding | undefined,
    pieces: readonly string[],
  ): number | Promise<number> {
    if (encoding === undefined) return pieces.reduce((sum, text) => sum + tokensBound(text), 0);
    let unseen: Map<string, Unseen> | undefined;
    let sum = 0;
    for (const text of pieces) {
      const key = keyOf(text);
      const tokens = known.get(encoding, key);
      if (tokens !== undefined) {
        hits += 1;
        sum += tokens;
        continue;
      }
      unseen ??= new Map();
      const waiting = unseen.get(key);
      if (waiting === undefined) unseen.set(key, { text, times: 1 });
      else waiting.times += 1;
    }
    if (!unseen) return sum;
    const sought = unseen;
    misses += sought.size;
    const texts = Array.from(sought.values(), ({ text }) => text);
    const counts = tokenizer.countAll(encoding, texts);
    const total = (fresh: readonly number[]) => sum + learn(encoding, sought, fresh);
    return Array.isArray(counts) ? total(counts) : counts.then(total);
  }

  /** Remembers the counts of what was unseen, in its order, and answers their sum. */
  function learn(encoding: Encoding, unseen: Map<string, Unseen>, counts: readonly number[]) {
    assert(counts.length === unseen.size, 'a count for each text');
    let [sum, index] = [0, 0];
    for (const [key, { times }] of unseen) {
      const tokens = counts[index] ?? 0;
      known.set(encoding, key, tokens);
      sum += tokens * times;
      index += 1;
    }
    return sum;
  }

  const note = (sought: Sought): void => {
    hits += sought.counts.length - sought.places.length;
    misses += sought.places.length;
  };
  const countEach: TokenCounts['countEach'] = (encoding, texts) =>
    eachOf(encoding, texts, { known, tokenizer, note });
  return { countPieces, countEach, state: () => ({ ...known.state(), hits, misses }) };
}

interface Counting {
  known: RememberedCounts;
  tokenizer: TokenCountsOptions['tokenizer'];
  note(sought: Sought): void;
}

interface Sought {
  keys: readonly string[];
  /** 0 where it is not known. */
  counts: number[];
  /** Where it is not known. */
  places: number[];
}

function eachOf(
  encoding: Encoding | undefined,
  texts: readonly string[],
  { known, tokenizer, note }: Counting,
): readonly number[] | Promise<readonly number[]> {
  if (encoding === undefined) return texts.map(tokensBound);
  const sought = seek(known, encoding, texts);
  note(sought);
  if (sought.places.length === 0) return sought.counts;
  const unseen = sought.places.map((place) => texts[place]!);
  const fresh = tokenizer.countAll(encoding, unseen);
  const fill = (found: readonly number[]) => fillIn(known, encoding, sought, found);
  return Array.isArray(fresh) ? fill(fresh) : fresh.then(fill);
}

function seek(known: RememberedCounts, encoding: Encoding, texts: readonly string[]): Sought {
  const keys = texts.map(keyOf);
  const places: number[] = [];
  const counts = keys.map((key, place) => {
    const tokens = known.get(encoding, key);
    if (tokens === undefined) places.push(place);
    return tokens ?? 0;
  });
  return { keys, counts, places };
}

function fillIn(
  known: RememberedCounts,
  encoding: Encoding,
  { keys, counts, places }: Sought,
  found: readonly number[],
): readonly number[] {
  assert(found.length === places.length, 'a count for each text');
  for (const [index, place] of places.entries()) {
    counts[place] = found[index]!;
    known.set(encoding, keys[place]!, found[index]!);
  }
  return counts;
}

interface Unseen {
  text: string;
  times: number;
}

// SHA-256, so that nobody can make two texts share a count; SHA-1 would be no quicker here (0.7 ns
// a byte).
function keyOf(text: string): string {
  return text.length < KEY_UNITS ? text : hash('sha256', text, 'binary');
}
