// The records of the spool as text. A `mark` says up to where everything is drained and from
// which segment on a `sent` may still be open; it opens each segment and follows each batch, so
// that a start reads the end of the log and not all of it.

import type { Amounts } from '../core/amount.js';
import { parseOwnJson } from '../core/json.js';
import type { ReserveLine } from '../core/line.js';
import type { UsageEvent } from '../core/usage-event.js';
import type { SentRecord } from './spool.js';
import { writeEvent } from './spool-event.js';

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

export function writeRecord(record: Exclude<SpoolRecord, { t: 'sent' | 'ended' }>): string {
  return JSON.stringify(record);
}

// Of every call there are two records with the stub in both: it is JSON by then, and neither
// written again nor put into quotes, which costs more than all the rest of a record.

export function writeSent({ id, lines, floor, stub }: SentRecord): string {
  let text = '';
  for (const line of lines) text += text === '' ? lineText(line) : `,${lineText(line)}`;
  const { nano_usd, tokens, requests, concurrency } = floor;
  const amounts = `"nano_usd":${nano_usd},"tokens":${tokens},"requests":${requests}`;
  const floorText = `{${amounts},"concurrency":${concurrency}}`;
  return `{"t":"sent","sent":{"id":"${id}","lines":[${text}],"floor":${floorText},"stub":${stub}}}`;
}

/** `stub`: JSON of the event's. */
export function writeEnded(event: UsageEvent, stub = JSON.stringify(event.stub)): string {
  return `{"t":"ended","event":${writeEvent(event, stub)}}`;
}

interface LineWords {
  line: ReserveLine;
  before: string;
  after: string;
}

const LINES_MAX = 1_000;
const lineWords = new Map<string, LineWords>();

// Of an envelope's line only the amount changes with every call.
function lineText(line: ReserveLine): string {
  const known = lineWords.get(line.envelope);
  if (known && isLike(known.line, line)) return known.before + line.amount + known.after;
  const { envelope, label, unit, limit, mode, version } = line;
  const before = `${JSON.stringify({ envelope, label, unit }).slice(0, -1)},"amount":`;
  const after = `,${JSON.stringify({ limit, mode, version }).slice(1)}`;
  if (lineWords.size >= LINES_MAX) lineWords.clear();
  lineWords.set(envelope, { line, before, after });
  return before + line.amount + after;
}

function isLike(left: ReserveLine, right: ReserveLine): boolean {
  return (
    left.label === right.label &&
    left.limit === right.limit &&
    left.version === right.version &&
    left.unit === right.unit &&
    left.mode === right.mode
  );
}

/** Its checksum was right, so it is what we wrote. */
export function readRecord(text: string): SpoolRecord {
  const record = parseOwnJson<SpoolRecord>(text);
  if (record.t !== 'sent' || typeof record.sent.stub === 'string') return record;
  return { ...record, sent: { ...record.sent, stub: JSON.stringify(record.sent.stub) } };
}

export function isBefore(left: Position, right: Position): boolean {
  return left.segment < right.segment
    ? true
    : left.segment === right.segment && left.offset < right.offset;
}
