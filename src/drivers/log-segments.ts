// The segments of an append log as they lie on disk: listed, read back, dropped. Numbers only
// rise. A torn end is cut off on open; damage elsewhere is told once and passed over.

import type { LogFile, LogFiles } from './log-files.js';
import { readFrames } from './log-frames.js';

export interface Segment {
  readonly number: number;
  /** What is known to be written. */
  bytes: number;
  writtenAtMs: number;
}

/** Where a record lies. `segment` is 0 until it is written; a rewritten record moves on. */
export interface LogEntry {
  segment: number;
  offset: number;
  readonly bytes: number;
}

export interface LogRecord {
  text: string;
  entry: LogEntry;
}

export interface LogDamage {
  segment: number;
  offset: number;
  bytes: number;
}

export class LogSegments {
  readonly #files: LogFiles;
  readonly #onDamage: (damage: LogDamage) => void;
  readonly #told = new Set<string>();
  readonly #segments: Segment[] = [];
  #lastNumber = 0;
  #bytes = 0;

  constructor(files: LogFiles, onDamage: (damage: LogDamage) => void) {
    this.#files = files;
    this.#onDamage = onDamage;
  }

  /** Reads the list and cuts the torn end off the last segment. */
  async open(): Promise<void> {
    for (const { name, bytes, writtenAtMs } of await this.#files.list()) {
      const number = /^(\d{12})\.log$/.exec(name)?.[1];
      if (number) this.#segments.push({ number: Number(number), bytes, writtenAtMs });
    }
    this.#segments.sort((left, right) => left.number - right.number);
    this.#bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
    const last = this.#segments.at(-1);
    if (!last) return;
    this.#lastNumber = last.number;
    const { end } = await this.read(last.number, 0);
    if (end === last.bytes) return;
    await this.#files.truncate(nameOf(last.number), end);
    this.#bytes -= last.bytes - end;
    last.bytes = end;
  }

  get list(): readonly Segment[] {
    return this.#segments;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async create(): Promise<{ segment: Segment; file: LogFile }> {
    // A name is never used twice, also where the file was made but could not be used.
    this.#lastNumber += 1;
    const file = await this.#files.create(nameOf(this.#lastNumber));
    const segment = { number: this.#lastNumber, bytes: 0, writtenAtMs: 0 };
    this.#segments.push(segment);
    return { segment, file };
  }

  grow(segment: Segment, bytes: number, nowMs: number): void {
    segment.bytes += bytes;
    segment.writtenAtMs = nowMs;
    this.#bytes += bytes;
  }

  async remove(number: number): Promise<void> {
    const at = this.#segments.findIndex((segment) => segment.number === number);
    if (at < 0) return;
    await this.#files.remove(nameOf(number));
    const [gone] = this.#segments.splice(at, 1);
    this.#bytes -= gone?.bytes ?? 0;
  }

  /** The whole records from `offset` to what is written now, and where the next one would begin. */
  async read(number: number, offset: number): Promise<{ records: LogRecord[]; end: number }> {
    const segment = this.#segments.find((candidate) => candidate.number === number);
    if (!segment || segment.bytes <= offset) return { records: [], end: offset };
    const bytes = await this.#files.read(nameOf(number), offset, segment.bytes);
    const records: LogRecord[] = [];
    const end = readFrames(bytes, {
      record: (text, at, length) =>
        records.push({ text, entry: { segment: number, offset: offset + at, bytes: length } }),
      damage: (at, length) =>
        this.#damaged({ segment: number, offset: offset + at, bytes: length }),
    });
    return { records, end: offset + end };
  }

  #damaged(damage: LogDamage): void {
    const key = `${damage.segment}/${damage.offset}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#onDamage(damage);
  }
}

function nameOf(number: number): string {
  return `${String(number).padStart(12, '0')}.log`;
}
