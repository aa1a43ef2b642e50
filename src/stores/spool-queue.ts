// Events on their way from the spool to the drain, in the order of the log: in memory up to a
// bound of bytes; what comes beyond stays on disk only and is read back segment by segment once
// the memory is empty. Appends never wait for it.

import type { UsageEvent } from '../core/usage-event.js';
import type { AppendLog } from '../drivers/append-log.js';
import type { LogEntry } from '../drivers/log-segments.js';
import { isBefore, type Position, readRecord, type SpoolRecord } from './spool-records.js';

export interface Queued {
  event: UsageEvent;
  entry: LogEntry;
  /** Whoever waits for it to be durable hears that the drain was first. */
  whenDrained?: (() => void) | undefined;
}

interface Spilled {
  next: Position;
  last: Position;
}

export class SpoolQueue {
  readonly #log: AppendLog;
  readonly #bytesMax: number;
  #ready: Queued[] = [];
  #readyBytes = 0;
  /** On disk only: from `next` (a record that is being written moves until it is) to `last`. */
  #spilled: Spilled | undefined;
  #spilledEvents = 0;
  #spilledBytes = 0;
  #filling: Promise<boolean> | undefined;

  constructor(log: AppendLog, bytesMax: number) {
    this.#log = log;
    this.#bytesMax = bytesMax;
  }

  /** Never 0 while anything may be on disk, also where a rewritten tail was counted twice. */
  get events(): number {
    return this.#ready.length + (this.#spilled ? Math.max(1, this.#spilledEvents) : 0);
  }

  get bytes(): number {
    return this.#readyBytes + this.#spilledBytes;
  }

  /** What lies from `next` to `last` is to be read from disk. */
  replay(next: Position, last: Position, events: number, bytes: number): void {
    this.#spilled = { next, last };
    this.#spilledEvents = events;
    this.#spilledBytes = bytes;
  }

  push(queued: Queued): void {
    const { entry } = queued;
    if (this.#spilled === undefined && this.#readyBytes + entry.bytes <= this.#bytesMax) {
      this.#ready.push(queued);
      this.#readyBytes += entry.bytes;
      return;
    }
    if (this.#spilled) this.#spilled.last = entry;
    else this.#spilled = { next: entry, last: entry };
    this.#spilledEvents += 1;
    this.#spilledBytes += entry.bytes;
  }

  /** The oldest, not taken out. */
  async peek(count: number): Promise<readonly Queued[]> {
    let more = true;
    while (more && this.#ready.length === 0 && this.#spilled) {
      // Two who read the same segment at once would have each of its events twice.
      this.#filling ??= this.#fill(this.#spilled).finally(() => {
        this.#filling = undefined;
      });
      more = await this.#filling;
    }
    return this.#ready.slice(0, count);
  }

  /** Takes out those that were peeked and are the oldest still; another may have taken some. */
  take(peeked: readonly UsageEvent[]): readonly Queued[] {
    const [oldest] = this.#ready;
    const from = oldest ? peeked.indexOf(oldest.event) : -1;
    if (from < 0) return [];
    const left = peeked.length - from;
    let count = 1;
    while (count < left && this.#ready[count]?.event === peeked[from + count]) count += 1;
    const taken = this.#ready.splice(0, count);
    for (const { entry } of taken) this.#readyBytes -= entry.bytes;
    return taken;
  }

  /** Reads what is left of one segment; false: the next record is not written yet. */
  async #fill(spilled: Spilled): Promise<boolean> {
    const { next } = spilled;
    if (next.segment === 0) return false;
    const segment = this.#log.segments.find(({ number }) => number >= next.segment);
    if (!segment) return this.#endSpill();
    const from = segment.number === next.segment ? next.offset : 0;
    const { records, end } = await this.#log.read(segment.number, from);
    for (const { text, entry } of records) this.#readBack(readRecord(text), entry);
    const isNewest = segment.number === this.#log.segments.at(-1)?.number;
    spilled.next = isNewest
      ? { segment: segment.number, offset: end }
      : { segment: segment.number + 1, offset: 0 };
    const { last } = spilled;
    if (last.segment > 0 && isBefore(last, spilled.next)) return this.#endSpill();
    return records.length > 0 || !isNewest;
  }

  #readBack(record: SpoolRecord, entry: LogEntry): void {
    if (record.t !== 'ended') return;
    this.#ready.push({ event: record.event, entry });
    this.#readyBytes += entry.bytes;
    this.#spilledEvents = Math.max(0, this.#spilledEvents - 1);
    this.#spilledBytes = Math.max(0, this.#spilledBytes - entry.bytes);
  }

  #endSpill(): true {
    this.#spilled = undefined;
    this.#spilledEvents = 0;
    this.#spilledBytes = 0;
    return true;
  }
}
