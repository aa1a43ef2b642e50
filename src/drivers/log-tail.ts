// Records of an append log that somebody still waits for or that are not known to be durable, in
// the order of the log. Each waiter is answered once.

import type { LogEntry } from './log-segments.js';

export interface AppendKind {
  /** Wait for the fsync, not only for the write. */
  durable: boolean;
  /** While the log is full: refuse at once, or wait for room. */
  whenFull: 'reject' | 'wait';
}

/** What a waiter is told: an error where the record was refused. */
type Tell = (error?: Error) => void;

export class Waiting {
  settled = false;
  #error: Error | undefined;
  #tell: Tell | undefined;

  /** `refused`: there was no room to queue it, so that it will never be written. */
  constructor(
    readonly line: Buffer,
    readonly entry: LogEntry,
    readonly kind: AppendKind,
    readonly refused = false,
  ) {}

  /** Told once: when it is written or durable, as its kind asks, or that it was refused. */
  whenDone(tell: Tell): void {
    const before = this.#tell;
    if (this.settled) tell(this.#error);
    else if (!before) this.#tell = tell;
    else {
      this.#tell = (error) => {
        before(error);
        tell(error);
      };
    }
  }

  get done(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.whenDone((error) => (error ? reject(error) : resolve()));
    });
  }

  settle(error?: Error): void {
    if (this.settled) return;
    this.settled = true;
    this.#error = error;
    this.#tell?.(error);
    this.#tell = undefined;
  }
}

/** Their lines in one piece, as which they nearly always were made. */
export function joinLines(batch: readonly Waiting[]): Buffer {
  const first = batch[0]!.line;
  let end = first.byteOffset;
  for (const { line } of batch) {
    if (line.buffer !== first.buffer || line.byteOffset !== end) {
      return Buffer.concat(batch.map((waiting) => waiting.line));
    }
    end += line.length;
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
}

export class WaitingList {
  #items: Waiting[] = [];
  #bytes = 0;
  #durable = 0;

  get length(): number {
    return this.#items.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many ask for an fsync. */
  get durable(): number {
    return this.#durable;
  }

  get items(): readonly Waiting[] {
    return this.#items;
  }

  push(waiting: Waiting): void {
    this.#items.push(waiting);
    this.#bytes += waiting.entry.bytes;
    if (waiting.kind.durable) this.#durable += 1;
  }

  /** Takes the first `count` out. */
  take(count: number): Waiting[] {
    const taken = this.#items.splice(0, count);
    for (const waiting of taken) this.#forget(waiting);
    return taken;
  }

  lines(): Buffer[] {
    return this.#items.map((waiting) => waiting.line);
  }

  /** Refuses and drops those who would rather be refused than wait. */
  shed(error: Error): void {
    const stays: Waiting[] = [];
    for (const waiting of this.#items) {
      if (waiting.settled || waiting.kind.whenFull === 'wait') {
        stays.push(waiting);
        continue;
      }
      waiting.settle(error);
      this.#forget(waiting);
    }
    this.#items = stays;
  }

  #forget(waiting: Waiting): void {
    this.#bytes -= waiting.entry.bytes;
    if (waiting.kind.durable) this.#durable -= 1;
  }
}
