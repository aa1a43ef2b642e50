// An append-only log in segments: everything queued in a tick is one write, everything written is
// one fdatasync, and those who wait for durability are answered together. A segment that failed a
// write or an fsync is never touched again, because the kernel may have dropped its pages: what is
// not known to be durable is kept in memory and written anew into the next segment. Where that
// fails too the log is `full` until it works again; records may then lie on disk twice, never not.

import { assert } from '../core/assert.js';
import type { Clock } from '../core/clock.js';
import { CodedError } from '../core/errors.js';
import type { LogFile, LogFiles } from './log-files.js';
import { frame } from './log-frames.js';
import {
  type LogDamage,
  type LogEntry,
  type LogRecord,
  LogSegments,
  type Segment,
} from './log-segments.js';
import { type AppendKind, joinLines, Waiting, WaitingList } from './log-tail.js';

export interface AppendLogOptions {
  files: LogFiles;
  clock: Clock;
  /** A segment is closed once it is this long. */
  segmentBytes: number;
  /** All segments together; from then on the log is full. */
  bytesMax: number;
  /** What may wait in memory to be written. */
  queueBytesMax: number;
  /** How long after a failure the next attempt is made. */
  retryMs: number;
  /** Called when 80 % of `bytesMax` are passed. */
  onHighWater: (bytes: number) => void;
  onDamage: (damage: LogDamage) => void;
  /** A write or an fsync failed. */
  onTrouble: (error: Error) => void;
  /** The text of a new segment's first record. */
  preamble?: () => string;
}

export type Appended = Pick<Waiting, 'entry' | 'refused' | 'done' | 'whenDone'>;

const HIGH_WATER_SHARE = 0.8;
const SEGMENT_BYTES_MIN = 1024;
const BATCH_LINES_MAX = 4096;
/** Where nobody asks for an fsync, one is made so that the kept tail stays small. */
const TAIL_BYTES_MAX = 4 * 1024 * 1024;

export async function openAppendLog(options: AppendLogOptions): Promise<AppendLog> {
  assert(options.segmentBytes >= SEGMENT_BYTES_MIN, 'a segment must be longer than its preamble');
  const segments = new LogSegments(options.files, options.onDamage);
  await segments.open();
  return new AppendLog(options, segments);
}

export class AppendLog {
  readonly #options: AppendLogOptions;
  readonly #segments: LogSegments;
  #file: LogFile | undefined;
  #current: Segment | undefined;
  readonly #queue = new WaitingList();
  /** Handed to the current segment and not known to be durable. */
  readonly #tail = new WaitingList();
  #syncing: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #scheduled = false;
  #broken = false;
  #full = false;
  #high = false;
  #closed = false;
  #cancelRetry = () => {};

  constructor(options: AppendLogOptions, segments: LogSegments) {
    this.#options = options;
    this.#segments = segments;
  }

  /** Whoever waits hears `usage_log_unavailable` where the record was refused, now or later. */
  append(text: string, kind: AppendKind): Appended {
    const line = frame(text);
    const entry: LogEntry = { segment: 0, offset: 0, bytes: line.length };
    const refusal = this.#refusal(kind, entry.bytes);
    const waiting = new Waiting(line, entry, kind, refusal !== undefined);
    if (refusal !== undefined) {
      waiting.settle(unavailable(refusal));
      return waiting;
    }
    this.#queue.push(waiting);
    this.#wake();
    return waiting;
  }

  state(): { full: boolean; bytes: number; queueBytes: number } {
    const full = this.#full || this.#segments.bytes >= this.#options.bytesMax;
    return { full, bytes: this.#segments.bytes, queueBytes: this.#queue.bytes };
  }

  get segments(): readonly Segment[] {
    return this.#segments.list;
  }

  read(segment: number, offset: number): Promise<{ records: LogRecord[]; end: number }> {
    return this.#segments.read(segment, offset);
  }

  /** Drops a whole segment; never the one being written. */
  async remove(segment: number): Promise<void> {
    if (segment === this.#current?.number) return;
    await this.#segments.remove(segment);
    if (this.#segments.bytes < this.#options.bytesMax * HIGH_WATER_SHARE) this.#high = false;
  }

  /** Writes and syncs what waits; what cannot be written is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelRetry();
    await this.#pump();
    await this.#rotate();
    if (this.#broken) {
      await this.#pump();
      await this.#rotate();
    }
    for (const list of [this.#tail, this.#queue]) {
      for (const waiting of list.take(list.length)) waiting.settle(unavailable('closed'));
    }
  }

  #refusal(kind: AppendKind, bytes: number): string | undefined {
    if (this.#closed) return 'closed';
    if (kind.whenFull === 'reject' && this.state().full) return 'full';
    return this.#queue.bytes + bytes > this.#options.queueBytesMax ? 'too far behind' : undefined;
  }

  #hasWork(): boolean {
    return this.#queue.length > 0 || (this.#broken && this.#tail.length > 0);
  }

  #wake(): void {
    if (this.#scheduled || this.#running || this.#full) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#pump();
    });
  }

  #pump(): Promise<void> {
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
      // What came between the last look and this line found a pump at work and did not wake one.
      if (!this.#closed && this.#hasWork()) this.#wake();
    });
    return this.#running;
  }

  async #work(): Promise<void> {
    while (this.#hasWork()) {
      if (this.#broken || !this.#file) {
        if (!(await this.#replace())) return;
      } else if ((this.#current?.bytes ?? 0) >= this.#options.segmentBytes) {
        await this.#rotate();
      } else {
        await this.#write(this.#file);
      }
    }
  }

  async #write(file: LogFile): Promise<void> {
    const batch = this.#queue.take(BATCH_LINES_MAX);
    for (const waiting of batch) this.#tail.push(waiting);
    try {
      await file.write(joinLines(batch));
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#broken) return;
    this.#placed(batch);
    this.#sync();
  }

  #placed(batch: readonly Waiting[]): void {
    const segment = this.#current as Segment;
    const nowMs = this.#options.clock.nowMs();
    for (const waiting of batch) {
      waiting.entry.segment = segment.number;
      waiting.entry.offset = segment.bytes;
      this.#segments.grow(segment, waiting.entry.bytes, nowMs);
      if (!waiting.kind.durable) waiting.settle();
    }
    const { bytes } = this.#segments;
    if (this.#high || bytes < this.#options.bytesMax * HIGH_WATER_SHARE) return;
    this.#high = true;
    this.#options.onHighWater(bytes);
  }

  // Runs beside the writes: who only waits for a write does not wait for another's fsync.
  #sync(): void {
    const due = this.#tail.durable > 0 || this.#tail.bytes > TAIL_BYTES_MAX;
    if (!due || this.#syncing || this.#broken || !this.#file) return;
    // A batch whose write is under way is in the tail already, but no fsync answers for it.
    const number = this.#current?.number;
    const covered = this.#tail.items.findLastIndex(({ entry }) => entry.segment === number) + 1;
    if (covered === 0) return;
    this.#syncing = this.#file
      .datasync()
      .then(
        () => this.#acknowledge(covered),
        (error) => this.#fail(error),
      )
      .finally(() => {
        this.#syncing = undefined;
        if (this.#broken) this.#wake();
        else this.#sync();
      });
  }

  #acknowledge(count: number): void {
    for (const waiting of this.#tail.take(count)) waiting.settle();
  }

  #fail(error: unknown): void {
    this.#broken = true;
    this.#options.onTrouble(error instanceof Error ? error : new Error(String(error)));
  }

  async #rotate(): Promise<void> {
    await this.#syncing;
    if (this.#broken || !this.#file) return;
    try {
      if (this.#tail.length > 0) await this.#file.datasync();
      await this.#file.close();
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#acknowledge(this.#tail.length);
    this.#file = undefined;
    this.#current = undefined;
  }

  /** A new segment that begins with the tail; false: that failed too, and a retry is set. */
  async #replace(): Promise<boolean> {
    await this.#syncing;
    await this.#file?.close().catch((error) => this.#options.onTrouble(error));
    this.#file = undefined;
    this.#current = undefined;
    let made: { segment: Segment; file: LogFile } | undefined;
    try {
      made = await this.#segments.create();
      await this.#begin(made.file, made.segment);
    } catch (error) {
      this.#fail(error);
      await this.#abandon(made);
      return false;
    }
    this.#file = made.file;
    this.#current = made.segment;
    this.#placed(this.#tail.items);
    this.#acknowledge(this.#tail.length);
    this.#broken = false;
    this.#full = false;
    return true;
  }

  async #begin(file: LogFile, segment: Segment): Promise<void> {
    const { preamble, clock } = this.#options;
    const first = preamble ? frame(preamble()) : Buffer.alloc(0);
    await file.write(Buffer.concat([first, ...this.#tail.lines()]));
    if (this.#tail.length > 0) await file.datasync();
    this.#segments.grow(segment, first.length, clock.nowMs());
  }

  async #abandon(made: { segment: Segment; file: LogFile } | undefined): Promise<void> {
    this.#full = true;
    try {
      await made?.file.close();
      if (made) await this.#segments.remove(made.segment.number);
    } catch (error) {
      this.#fail(error);
    }
    this.#tail.shed(unavailable('full'));
    this.#queue.shed(unavailable('full'));
    if (this.#closed) return;
    this.#cancelRetry = this.#options.clock.after(this.#options.retryMs, () => {
      // The pump that set this timer may not have returned yet.
      void Promise.resolve(this.#running).then(() => this.#pump());
    });
  }
}

function unavailable(why: string): CodedError {
  return new CodedError('usage_log_unavailable', `the usage log is ${why}`);
}
