// Endings in the order in which they expire. Each one that is added takes up to two expired ones
// away, so memory follows the calls of the last two hours and no sweep ever stalls a call. Nor does
// a map that grows: one map of a million copies itself for a tenth of a second, and ends at 2^24.

const SHARDS = 256;

export class Tombstones<T extends { id: string; expiresAtMs: number }> {
  readonly #shards: Shard<T>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: string, nowMs: number): T | undefined {
    return this.#shards[shardOf(id)]?.get(id, nowMs);
  }

  add(tombstone: T, nowMs: number): void {
    const at = shardOf(tombstone.id);
    this.#shards[at] ??= new Shard();
    const shard = this.#shards[at];
    const before = shard.size;
    shard.add(tombstone, nowMs);
    this.#size += shard.size - before;
  }
}

// By its end: ids begin with the time.
function shardOf(id: string): number {
  const { length } = id;
  if (length < 2) return 0;
  return (id.charCodeAt(length - 1) * 31 + id.charCodeAt(length - 2)) % SHARDS;
}

class Shard<T extends { id: string; expiresAtMs: number }> {
  readonly #byId = new Map<string, T>();
  // A live iterator sees what is added later; it is made anew once it has run dry.
  #walk = this.#byId.values();
  #oldest: T | undefined;

  get size(): number {
    return this.#byId.size;
  }

  get(id: string, nowMs: number): T | undefined {
    const found = this.#byId.get(id);
    return found !== undefined && found.expiresAtMs > nowMs ? found : undefined;
  }

  add(tombstone: T, nowMs: number): void {
    this.#drop(nowMs);
    this.#drop(nowMs);
    const before = this.#byId.size;
    this.#byId.set(tombstone.id, tombstone);
    if (this.#byId.size > before) return;
    // An expired one of the same id has kept its old place in the order.
    this.#byId.delete(tombstone.id);
    this.#byId.set(tombstone.id, tombstone);
  }

  #drop(nowMs: number): void {
    if (this.#oldest === undefined) {
      const next = this.#walk.next();
      if (next.done) {
        this.#walk = this.#byId.values();
        return;
      }
      this.#oldest = next.value;
    }
    if (this.#oldest.expiresAtMs > nowMs) return;
    const { id } = this.#oldest;
    if (this.#byId.get(id) === this.#oldest) this.#byId.delete(id);
    this.#oldest = undefined;
  }
}
