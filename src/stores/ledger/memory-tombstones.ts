// Endings in the order in which they expire. Each one that is added takes up to two expired ones
// away, so memory follows the calls of the last two hours and no sweep ever stalls a call.

export class Tombstones<T extends { id: string; expiresAtMs: number }> {
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
    // An expired one of the same id would keep its old place in the order.
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
