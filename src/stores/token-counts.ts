// Token counts remembered by the content of the text: a conversation grows by a message a turn,
// and only the new message is counted. The least recently used are forgotten; what is held is
// bounded in bytes. No text longer than a hash is kept.

import { hash } from 'node:crypto';
import { assert } from '../core/assert.js';
import type { Tokenizer } from '../drivers/tokenizer.js';
import { type Encoding, tokensBound } from '../rules/tokens/encoding.js';

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
// A map's entry, its key's header and the number.
const ENTRY_BYTES = 112;
/** Shorter texts are their own key; a longer one's key is exactly as long as this. */
const KEY_UNITS = 64;

export function createTokenCounts(options: TokenCountsOptions): TokenCounts {
  const { tokenizer } = options;
  const known = new Remembered(options.bytesMax ?? BYTES_MAX);
  let [hits, misses] = [0, 0];

  function countPieces(
    encoding: Encoding | undefined,
    pieces: readonly string[],
  ): number | Promise<number> {
    if (encoding === undefined) return pieces.reduce((sum, text) => sum + tokensBound(text), 0);
    const unseen = new Map<string, Unseen>();
    let sum = 0;
    for (const text of pieces) {
      const key = keyOf(text);
      const tokens = known.get(encoding, key);
      if (tokens !== undefined) {
        hits += 1;
        sum += tokens;
        continue;
      }
      const waiting = unseen.get(key);
      if (waiting === undefined) unseen.set(key, { text, times: 1 });
      else waiting.times += 1;
    }
    if (unseen.size === 0) return sum;
    misses += unseen.size;
    const texts = Array.from(unseen.values(), ({ text }) => text);
    const counts = tokenizer.countAll(encoding, texts);
    const total = (fresh: readonly number[]) => sum + learn(encoding, unseen, fresh);
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
  known: Remembered;
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

function seek(known: Remembered, encoding: Encoding, texts: readonly string[]): Sought {
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
  known: Remembered,
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

/** Counts by encoding and key, the least recently used first. */
class Remembered {
  readonly #bytesMax: number;
  readonly #counts = new Map<Encoding, Map<string, number>>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(encoding: Encoding, key: string): number | undefined {
    const counts = this.#counts.get(encoding);
    const tokens = counts?.get(key);
    if (counts === undefined || tokens === undefined) return undefined;
    // Set again, it is the most recently used.
    counts.delete(key);
    counts.set(key, tokens);
    return tokens;
  }

  set(encoding: Encoding, key: string, tokens: number): void {
    const counts = this.#counts.get(encoding) ?? new Map<string, number>();
    this.#counts.set(encoding, counts);
    if (!counts.has(key)) this.#bytes += entryBytes(key);
    counts.set(key, tokens);
    if (this.#bytes > this.#bytesMax) this.#forget(counts);
  }

  // The oldest of the encoding that is growing; of the others only where that is not enough.
  #forget(growing: Map<string, number>): void {
    for (const counts of [growing, ...this.#counts.values()]) {
      for (const key of counts.keys()) {
        if (this.#bytes <= this.#bytesMax) return;
        counts.delete(key);
        this.#bytes -= entryBytes(key);
      }
    }
  }

  state(): { entries: number; bytes: number } {
    let entries = 0;
    for (const counts of this.#counts.values()) entries += counts.size;
    return { entries, bytes: this.#bytes };
  }
}

// SHA-256 is as quick as SHA-1 here (0.7 ns a byte), and nobody can make two texts share a count.
function keyOf(text: string): string {
  return text.length < KEY_UNITS ? text : hash('sha256', text, 'hex');
}

function entryBytes(key: string): number {
  return ENTRY_BYTES + key.length * 2;
}
