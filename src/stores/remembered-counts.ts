// What token counts are remembered in: bounded in bytes, the least recently used forgotten first.
// Two generations of a map instead of one that is kept in order: whoever moves entries to the end
// of a JavaScript map makes it copy itself whole every so many moves, and that took milliseconds.
// Small shards, for the same reason: a map that grows copies itself, too.

import { ENCODINGS, type Encoding } from '../rules/tokens/encoding.js';

// A map's entry, its key's header and the number.
const ENTRY_BYTES = 112;
const SHARD_BYTES = 512 * 1024;

/** Counts by encoding and key. */
export class RememberedCounts {
  readonly #shards: readonly Shard[];

  constructor(bytesMax: number) {
    const count = Math.max(1, Math.floor(bytesMax / SHARD_BYTES));
    this.#shards = Array.from({ length: count }, () => new Shard(bytesMax / count));
  }

  get(encoding: Encoding, key: string): number | undefined {
    return this.#shardOf(key).get(encoding, key);
  }

  set(encoding: Encoding, key: string, tokens: number): void {
    this.#shardOf(key).set(encoding, key, tokens);
  }

  /** An entry that was used again lately is there twice. */
  state(): { entries: number; bytes: number } {
    let [entries, bytes] = [0, 0];
    for (const shard of this.#shards) {
      entries += shard.entries();
      bytes += shard.bytes();
    }
    return { entries, bytes };
  }

  // Keys of one shard, as somebody might choose them, crowd out each other and nobody else.
  #shardOf(key: string): Shard {
    const at = key.length === 0 ? 0 : key.charCodeAt(key.length - 1) % this.#shards.length;
    return this.#shards[at] as Shard;
  }
}

interface Generation {
  counts: Record<Encoding, Map<string, number>>;
  bytes: number;
}

class Shard {
  readonly #generationBytesMax: number;
  #recent = generation();
  #older = generation();

  constructor(bytesMax: number) {
    this.#generationBytesMax = bytesMax / 2;
  }

  get(encoding: Encoding, key: string): number | undefined {
    const recent = this.#recent.counts[encoding].get(key);
    if (recent !== undefined) return recent;
    const older = this.#older.counts[encoding].get(key);
    if (older !== undefined) this.set(encoding, key, older);
    return older;
  }

  set(encoding: Encoding, key: string, tokens: number): void {
    const bytes = ENTRY_BYTES + key.length * 2;
    if (this.#recent.bytes + bytes > this.#generationBytesMax) {
      this.#older = this.#recent;
      this.#recent = generation();
    }
    const counts = this.#recent.counts[encoding];
    if (!counts.has(key)) this.#recent.bytes += bytes;
    counts.set(key, tokens);
  }

  entries(): number {
    const both = [this.#recent, this.#older];
    return both
      .flatMap(({ counts }) => ENCODINGS.map((encoding) => counts[encoding].size))
      .reduce((sum, size) => sum + size);
  }

  bytes(): number {
    return this.#recent.bytes + this.#older.bytes;
  }
}

function generation(): Generation {
  return { counts: { o200k_base: new Map(), cl100k_base: new Map() }, bytes: 0 };
}
