// Values that are read when they are asked for and kept for a moment. Who asks while one is being
// read waits for that read; what is a little old is better than nothing while it cannot be read.

import type { Clock } from '../../core/clock.js';

export interface KeptOptions {
  clock: Clock;
  freshMs: number;
  staleMs: number;
  entriesMax?: number;
}

export interface Kept<T> {
  read(key: string, load: () => Promise<T>): Promise<T>;
}

interface Entry<T> {
  value: T;
  readAtMs: number;
}

export function createKept<T>(options: KeptOptions): Kept<T> {
  const { clock, freshMs, staleMs, entriesMax = 1_000 } = options;
  const entries = new Map<string, Entry<T>>();
  const reading = new Map<string, Promise<T>>();

  async function load(key: string, from: () => Promise<T>): Promise<T> {
    const startedMs = clock.elapsedMs();
    try {
      const value = await from();
      entries.delete(key);
      entries.set(key, { value, readAtMs: startedMs });
      for (const oldest of entries.keys()) {
        if (entries.size <= entriesMax) break;
        entries.delete(oldest);
      }
      return value;
    } catch (error) {
      const last = entries.get(key);
      if (last === undefined || startedMs - last.readAtMs > staleMs) throw error;
      return last.value;
    }
  }

  return {
    read(key, from) {
      const last = entries.get(key);
      if (last !== undefined && clock.elapsedMs() - last.readAtMs < freshMs) {
        return Promise.resolve(last.value);
      }
      const underWay = reading.get(key) ?? load(key, from).finally(() => reading.delete(key));
      reading.set(key, underWay);
      return underWay;
    },
  };
}
