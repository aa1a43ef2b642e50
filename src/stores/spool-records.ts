// The records of the spool as text. A `mark` says up to where everything is drained and from
// which segment on a `sent` may still be open; it opens each segment and follows each batch, so
// that a start reads the end of the log and not all of it.

import type { Amounts } from '../core/amount.js';
import { parseOwnJson } from '../core/json.js';
import type { UsageEvent } from '../core/usage-event.js';
import type { SentRecord } from './spool.js';

export interface Position {
  segment: number;
  offset: number;
}

export type SpoolRecord =
  | { t: 'sent'; sent: SentRecord }
  | { t: 'seen'; spends: { id: string; seen: Amounts }[] }
  | { t: 'ended'; event: UsageEvent }
  | { t: 'released'; id: string }
  | { t: 'mark'; drained: Position; openFrom: number };

export function writeRecord(record: SpoolRecord): string {
  return JSON.stringify(record);
}

/** Its checksum was right, so it is what we wrote. */
export function readRecord(text: string): SpoolRecord {
  return parseOwnJson<SpoolRecord>(text);
}

export function isBefore(left: Position, right: Position): boolean {
  return left.segment < right.segment
    ? true
    : left.segment === right.segment && left.offset < right.offset;
}
