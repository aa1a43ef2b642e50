// Token counts remembered by the content of the text: a conversation grows by a message a turn,
// and only the new message is counted. The least recently used are forgotten; what is held is
// bounded in bytes. No text longer than a hash is kept.

import { hash } from 'node:crypto';
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
  /** For metrics: what is held, and how often a piece was known. */
  state(): { entries: number; bytes: number; hits: number; misses: number };
}

const BYTES_MAX = 32 * 1024 * 1024;
// A map's entry, its key's header and the number.
const ENTRY_BYTES = 112;
/** Shorter texts are their own key; a longer one's key is exactly as long as this. */
const KEY_UNITS = 64;

export function createTokenCounts(options: TokenCountsOptions): TokenCounts {
  const { tokenizer, bytesMax = BYTES_MAX } = options;
  const known = new Map<Encoding, Map<string, number>>();
  let [bytes, hits, misses] = [0, 0, 0];

  function countPieces(
    encoding: Encoding | undefined,
    pieces: readonly string[],
  ): number | Promise<number> {
    if (encoding === undefined) return pieces.reduce((sum, text) => sum + tokensBound(text), 0);
    const counts = countsOf(encoding);
    const unseen = new Map<string, { text: string; times: number }>();
    let sum = 0;
    for (const text of pieces) {
      const key = keyOf(text);
      const tokens = counts.get(key);
      if (tokens !== undefined) {
        hits += 1;
        sum += tokens;
        // Set again, it is the most recently used.
        counts.delete(key);
        counts.set(key, tokens);
        continue;
      }
      const waiting = unseen.get(key);
      if (waiting === undefined) unseen.set(key, { text, times: 1 });
      else waiting.times += 1;
    }
    if (unseen.size === 0) return sum;
    misses += unseen.size;
    const keys = [...unseen];
    const remembered = (fresh: readonly number[]): number => {
      let total = sum;
      for (const [index, [key, { times }]] of keys.entries()) {
        const tokens = fresh[index] ?? 0;
        remember(counts, key, tokens);
        total += tokens * times;
      }
      return total;
    };
    const fresh = tokenizer.countAll(
      encoding,
      keys.map(([, { text }]) => text),
    );
    return Array.isArray(fresh) ? remembered(fresh) : fresh.then(remembered);
  }

  function countsOf(encoding: Encoding): Map<string, number> {
    const held = known.get(encoding);
    if (held !== undefined) return held;
    const counts = new Map<string, number>();
    known.set(encoding, counts);
    return counts;
  }

  function remember(counts: Map<string, number>, key: string, tokens: number): void {
    if (!counts.has(key)) bytes += entryBytes(key);
    counts.set(key, tokens);
    if (bytes > bytesMax) forget(counts);
  }

  // The oldest of the encoding that is growing; of the others only where that is not enough.
  function forget(growing: Map<string, number>): void {
    for (const counts of [growing, ...known.values()]) {
      for (const key of counts.keys()) {
        if (bytes <= bytesMax) return;
        counts.delete(key);
        bytes -= entryBytes(key);
      }
    }
  }

  const state = () => {
    let entries = 0;
    for (const counts of known.values()) entries += counts.size;
    return { entries, bytes, hits, misses };
  };
  return { countPieces, state };
}

// SHA-256 is as quick as SHA-1 here (0.7 ns a byte), and nobody can make two texts share a count.
function keyOf(text: string): string {
  return text.length < KEY_UNITS ? text : hash('sha256', text, 'hex');
}

function entryBytes(key: string): number {
  return ENTRY_BYTES + key.length * 2;
}
