// What a spool holds when it is opened: who was cut off, and where the drain goes on. Drained
// records of a given length are drained again, because a database that lost its last fsync may
// lack them. A record written twice (after a failed fsync) counts once.

import { type Amounts, maxAmounts, NOTHING } from '../core/amount.js';
import type { AppendLog } from '../drivers/append-log.js';
import type { LogEntry } from '../drivers/log-segments.js';
import type { Orphan, SentRecord } from './spool.js';
import { isBefore, type Position, readRecord, type SpoolRecord } from './spool-records.js';

export interface Found {
  orphans: readonly Orphan[];
  /** Where the record of each orphan lies. */
  open: ReadonlyMap<string, LogEntry>;
  drained: Position;
  /** From the first event to be drained again to the last byte; undefined where there is none. */
  replay: { from: Position; last: Position } | undefined;
  replayedEvents: number;
  replayedBytes: number;
}

const START: Position = { segment: 0, offset: 0 };

export async function recoverSpool(log: AppendLog, replayBytes: number): Promise<Found> {
  const mark = await lastMark(log);
  const replayFrom = replayStart(log, mark.drained, replayBytes);
  const calls = new OpenCalls();
  let replayedEvents = 0;
  let replayedBytes = 0;
  let from: Position | undefined;
  const first = Math.min(mark.openFrom, replayFrom.segment);
  for (const { number } of log.segments.filter((segment) => segment.number >= first)) {
    calls.nextSegment();
    for (const { text, entry } of (await log.read(number, 0)).records) {
      const record = readRecord(text);
      calls.apply(record, entry);
      if (record.t !== 'ended' || isBefore(entry, replayFrom)) continue;
      from ??= entry;
      replayedEvents += 1;
      replayedBytes += entry.bytes;
    }
  }
  return {
    orphans: calls.orphans(),
    open: calls.entries(),
    drained: mark.drained,
    replay: from && { from, last: lastByte(log) },
    replayedEvents,
    replayedBytes,
  };
}

function lastByte(log: AppendLog): Position {
  const segment = log.segments.at(-1);
  return { segment: segment?.number ?? 0, offset: (segment?.bytes ?? 0) - 1 };
}

async function lastMark(log: AppendLog): Promise<{ drained: Position; openFrom: number }> {
  for (const { number } of [...log.segments].reverse()) {
    const records = (await log.read(number, 0)).records.map(({ text }) => readRecord(text));
    const mark = records.findLast((record) => record.t === 'mark');
    if (mark?.t === 'mark') return mark;
  }
  return { drained: START, openFrom: 0 };
}

/** So many bytes before what is not drained; it need not be where a record begins. */
function replayStart(log: AppendLog, drained: Position, replayBytes: number): Position {
  let wanted = replayBytes;
  for (const segment of [...log.segments].reverse()) {
    if (segment.number > drained.segment) continue;
    const bytes = segment.number === drained.segment ? drained.offset : segment.bytes;
    if (bytes >= wanted) return { segment: segment.number, offset: bytes - wanted };
    wanted -= bytes;
  }
  return START;
}

class OpenCalls {
  readonly #open = new Map<string, { record: SentRecord; seen: Amounts; entry: LogEntry }>();
  // A tail that was written anew repeats a `sent` after its ending, at most one segment later.
  #ended = new Set<string>();
  #endedBefore = new Set<string>();

  nextSegment(): void {
    this.#endedBefore = this.#ended;
    this.#ended = new Set();
  }

  apply(record: SpoolRecord, entry: LogEntry): void {
    if (record.t === 'sent') this.#sent(record.sent, entry);
    else if (record.t === 'seen') this.#seen(record.spends);
    else if (record.t === 'ended') this.#end(record.event.id);
    else if (record.t === 'released') this.#end(record.id);
  }

  orphans(): Orphan[] {
    return [...this.#open.values()].map(({ record, seen }) => ({ record, seen }));
  }

  entries(): Map<string, LogEntry> {
    return new Map([...this.#open].map(([id, { entry }]) => [id, entry]));
  }

  #sent(record: SentRecord, entry: LogEntry): void {
    const { id } = record;
    if (this.#ended.has(id) || this.#endedBefore.has(id) || this.#open.has(id)) return;
    this.#open.set(id, { record, seen: NOTHING, entry });
  }

  #seen(spends: readonly { id: string; seen: Amounts }[]): void {
    for (const { id, seen } of spends) {
      const call = this.#open.get(id);
      if (call) call.seen = maxAmounts(call.seen, seen);
    }
  }

  #end(id: string): void {
    this.#open.delete(id);
    this.#ended.add(id);
  }
}
