// The spool on an append log. A call whose `sent` is written and whose ending is not is an orphan
// at the next start; an event stays here until the drain says that it is durable elsewhere, and
// its segment for some time longer. What is handed to the drain never waits for the disk.

import type { Amounts } from '../core/amount.js';
import type { Clock } from '../core/clock.js';
import type { UsageEvent } from '../core/usage-event.js';
import { type AppendLog, type AppendLogOptions, openAppendLog } from '../drivers/append-log.js';
import type { LogEntry } from '../drivers/log-segments.js';
import type { DrainBatch, DrainSource, Recovery, SentRecord, Spool } from './spool.js';
import { type Queued, SpoolQueue } from './spool-queue.js';
import { type Position, writeEnded, writeRecord, writeSent } from './spool-records.js';
import { type Found, recoverSpool } from './spool-recovery.js';

export interface SpoolLogOptions extends Omit<AppendLogOptions, 'preamble'> {
  clock: Clock;
  /** Events kept in memory for the drain; the rest is read back from disk. */
  memoryBytesMax: number;
  /** How long a drained segment stays. */
  keepDrainedMs: number;
  /** About how much of what is drained is drained again at start. */
  replayBytes: number;
}

/** Drained segments go before their time once the log is this full. */
const PRESSURE_SHARE = 0.5;
const WAIT = { durable: false, whenFull: 'wait' } as const;
const DURABLE = { durable: true, whenFull: 'wait' } as const;
const WRITTEN = { durable: false, whenFull: 'reject' } as const;

export async function openSpoolLog(options: SpoolLogOptions): Promise<SpoolLog> {
  let preamble = () => '';
  const log = await openAppendLog({ ...options, preamble: () => preamble() });
  const spool = new SpoolLog(options, log, await recoverSpool(log, options.replayBytes));
  preamble = () => spool.mark();
  return spool;
}

export class SpoolLog implements Spool, DrainSource {
  readonly #options: SpoolLogOptions;
  readonly #log: AppendLog;
  readonly #queue: SpoolQueue;
  readonly #recovery: Recovery;
  /** Calls without an ending, oldest first, with the place of their `sent`. */
  readonly #open: Map<string, LogEntry>;
  #drained: Position;
  #wake = () => {};
  #sweeping = false;

  constructor(options: SpoolLogOptions, log: AppendLog, found: Found) {
    this.#options = options;
    this.#log = log;
    this.#drained = found.drained;
    this.#open = new Map(found.open);
    this.#recovery = { orphans: found.orphans, replayedEvents: found.replayedEvents };
    this.#queue = new SpoolQueue(log, options.memoryBytesMax);
    const { replay, replayedEvents, replayedBytes } = found;
    if (replay) this.#queue.replay(replay.from, replay.last, replayedEvents, replayedBytes);
  }

  recover(): Recovery {
    return this.#recovery;
  }

  sent(record: SentRecord): Promise<void> {
    const appended = this.#log.append(writeSent(record), WRITTEN);
    this.#open.set(record.id, appended.entry);
    return new Promise((resolve, reject) => {
      appended.whenDone((error) => {
        if (!error) return resolve();
        // A refused record may still have reached the disk: it must not be charged at a restart.
        this.released(record.id);
        reject(error);
      });
    });
  }

  seen(spends: readonly { id: string; seen: Amounts }[]): void {
    if (spends.length === 0) return;
    const text = writeRecord({ t: 'seen', spends: [...spends] });
    this.#log.append(text, WRITTEN);
  }

  ended(event: UsageEvent, durability: 'fsync' | 'written', stub?: string): Promise<void> {
    const text = writeEnded(event, stub);
    const appended = this.#log.append(text, durability === 'fsync' ? DURABLE : WAIT);
    if (appended.refused) return appended.done;
    this.#open.delete(event.id);
    const queued: Queued = { event, entry: appended.entry };
    this.#queue.push(queued);
    this.#wake();
    return new Promise((resolve, reject) => {
      // By the log, or by the drain if that is first.
      const end = (error?: Error): void => {
        if (!queued.whenDrained) return;
        queued.whenDrained = undefined;
        this.#wake();
        if (error) reject(error);
        else resolve();
      };
      queued.whenDrained = end;
      appended.whenDone(end);
    });
  }

  released(id: string): void {
    this.#open.delete(id);
    this.#log.append(writeRecord({ t: 'released', id }), WAIT);
  }

  async next(eventsMax: number): Promise<DrainBatch> {
    const oldest = await this.#queue.peek(eventsMax);
    return { events: oldest.map(({ event }) => event) };
  }

  drained(batch: DrainBatch): void {
    const taken = this.#queue.take(batch.events);
    for (const { whenDrained } of taken) whenDrained?.();
    const written = taken.findLast(({ entry }) => entry.segment > 0)?.entry;
    if (!written) return;
    this.#drained = { segment: written.segment, offset: written.offset + written.bytes };
    this.#log.append(this.mark(), WAIT);
    void this.#sweep();
  }

  onEvent(wake: () => void): void {
    this.#wake = wake;
  }

  state(): { pendingEvents: number; pendingBytes: number; full: boolean } {
    const { full } = this.#log.state();
    return { pendingEvents: this.#queue.events, pendingBytes: this.#queue.bytes, full };
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  /** The text of a mark as of now. */
  mark(): string {
    const oldest = this.#open.values().next().value;
    const newest = this.#log.segments.at(-1)?.number ?? 0;
    const openFrom = oldest && oldest.segment > 0 ? oldest.segment : newest;
    return writeRecord({ t: 'mark', drained: this.#drained, openFrom });
  }

  /** Drops segments that are drained, hold no open `sent` and are old or in the way. */
  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      for (const segment of this.#droppable()) await this.#log.remove(segment);
    } catch (error) {
      this.#options.onTrouble(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#sweeping = false;
    }
  }

  #droppable(): number[] {
    const { clock, keepDrainedMs, bytesMax } = this.#options;
    const oldest = this.#open.values().next().value;
    const open = oldest && oldest.segment > 0 ? oldest.segment : Number.MAX_SAFE_INTEGER;
    const drained = this.#log.segments.filter(
      ({ number }) => number < Math.min(this.#drained.segment, open),
    );
    let bytes = this.#log.state().bytes;
    const droppable = [];
    // The last drained segment always stays: it is what a start drains again.
    for (const segment of drained.slice(0, -1)) {
      const isOld = clock.nowMs() - segment.writtenAtMs >= keepDrainedMs;
      if (!isOld && bytes < bytesMax * PRESSURE_SHARE) break;
      bytes -= segment.bytes;
      droppable.push(segment.number);
    }
    return droppable;
  }
}
