// How long answers have been, by agent and model, in this process: the first tranche of a hold is
// the 95th percentile of the last hundred, so that most streams never ask for more.

export interface OutputSizes {
  note(who: string, tokens: number): void;
  /** The 95th percentile; undefined where nothing is known yet. */
  usual(who: string): number | undefined;
}

const KEPT = 100;
const ENTRIES_MAX = 10_000;

export function createOutputSizes(): OutputSizes {
  const known = new Map<string, { sizes: number[]; next: number; usual: number | undefined }>();
  return {
    note(who, tokens) {
      let entry = known.get(who);
      if (!entry) {
        // The oldest goes: a map keeps the order in which its keys came.
        if (known.size >= ENTRIES_MAX) known.delete(known.keys().next().value ?? '');
        entry = { sizes: [], next: 0, usual: undefined };
        known.set(who, entry);
      }
      entry.sizes[entry.next] = tokens;
      entry.next = (entry.next + 1) % KEPT;
      entry.usual = undefined;
    },
    usual(who) {
      const entry = known.get(who);
      if (!entry) return undefined;
      // Worked out where it is asked for: a stream asks, and every answer is noted.
      entry.usual ??= percentile(entry.sizes);
      return entry.usual;
    },
  };
}

function percentile(sizes: readonly number[]): number {
  const sorted = [...sizes].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0;
}
