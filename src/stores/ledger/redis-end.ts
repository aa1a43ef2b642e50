// finalize, release and reap on Redis. Each books and writes the event to the outbox in one script,
// so there is no moment at which money has moved and nobody keeps the event.

import type { Amounts } from '../../core/amount.js';
import { parseOwnJson } from '../../core/json.js';
import type { BookedLine } from '../../core/line.js';
import { readingText } from '../../core/reading-text.js';
import type { EventKind, Stub, UsageEvent } from '../../core/usage-event.js';
import { areReapIds, isFinalizeRequest, isName } from './check-request.js';
import type { FinalizeReply, FinalizeRequest, ReapReply, ReleaseReply } from './ledger.js';
import { learnLines, type RedisParts, withLines } from './redis-hold.js';
import {
  amountArgs,
  type LineKey,
  type Pinned,
  pin,
  readAmounts,
  readLinesText,
} from './redis-lines.js';
import { FENCE, type Raw, replyOf, toLedgerUnavailable } from './redis-wire.js';
import { Words } from './redis-words.js';

/** Answers after which an id needs no keys of counters any more. */
const OVER = new Set(['FINALIZED', 'LATE_FINALIZE', 'ALREADY_FINALIZED', 'UNKNOWN', 'RELEASED']);

export async function finalize(
  parts: RedisParts,
  request: FinalizeRequest,
): Promise<FinalizeReply> {
  const { wire, pinned } = parts;
  if (!isFinalizeRequest(request)) {
    return { ...(wire.invalid() as FinalizeReply), custodian: 'none' };
  }
  const { id } = request;
  const text = eventText(request);
  let pins = pinned.get(id);
  let raw = await book(parts, request, text, pins);
  if (raw.answer === 'KEYS') {
    pins = learnLines(parts, id, raw);
    raw = await book(parts, request, text, pins);
  }
  if (OVER.has(raw.answer)) pinned.delete(id);
  const reply = replyOf<FinalizeReply['answer']>(raw, pins.lines);
  const { answer, balances, seq, epoch, timeMs } = reply;
  if (answer !== 'FINALIZED' && answer !== 'LATE_FINALIZE') return { ...reply, custodian: 'none' };
  const lines = bookedLines(pins.lines, raw.detail as string);
  const booked = eventBooked(request, answer === 'FINALIZED' ? 'base' : 'late', lines, raw);
  return { answer, balances, seq, epoch, timeMs, custodian: 'outbox', event: booked };
}

// Members one by one where they are known: an object made by spreading another is made slowly.
function eventBooked(
  { event, stub: text }: FinalizeRequest,
  kind: EventKind,
  lines: BookedLine[],
  { seq, epoch, timeMs: atMs }: Raw,
): UsageEvent {
  const { id, stub, reading } = event;
  if (text === undefined || !reading) return { ...event, kind, lines, seq, epoch, atMs };
  return { id, kind, lines, stub, reading, seq, epoch, atMs };
}

function book(
  { wire, keys, first }: RedisParts,
  { id, actual }: FinalizeRequest,
  event: string,
  { prepared }: Pinned,
): Promise<Raw> {
  const names = [first.finalize, keys.reservation(id), prepared.counters];
  const args = [...FENCE, id, ...amountArgs(actual), event, prepared.envelopes, prepared.ends];
  return wire.sendFenced('finalize', names, args);
}

function eventText({ event, stub }: FinalizeRequest): string {
  const { id, reading } = event;
  if (stub === undefined || !reading) return JSON.stringify(event);
  return `{"id":"${id}","stub":${stub},"reading":${readingText(reading)}}`;
}

export async function release(parts: RedisParts, id: string): Promise<ReleaseReply> {
  const { wire, keys, pinned } = parts;
  if (!isName(id)) return wire.invalid() as ReleaseReply;
  const { raw, pins } = await withLines(parts, id, ({ counters, envelopes, ends }) => {
    const names = [keys.state, keys.limits, keys.leases, keys.reservation(id), ...counters];
    return wire.send('release', names, [id, ...envelopes, ...ends]);
  });
  if (OVER.has(raw.answer) || raw.answer.startsWith('ALREADY_')) pinned.delete(id);
  return replyOf(raw, pins.lines);
}

export async function reap(parts: RedisParts, ids: readonly string[]): Promise<ReapReply> {
  const { wire, keys, pinned } = parts;
  if (!areReapIds(ids)) return { ...(wire.invalid() as ReapReply), results: [] };
  const lines = await linesOf(parts, ids);
  const places = new Map<string, { place: number; end: string }>();
  const perId = ids.map((_id, i) => {
    const { counters, ends } = lines[i]!;
    const numbers = counters.map((counter, line) => {
      let known = places.get(counter);
      if (!known) {
        known = { place: places.size + 1, end: ends[line]! };
        places.set(counter, known);
      }
      return known.place;
    });
    return numbers.join(' ');
  });
  const names = [keys.state, keys.leases, keys.outbox, keys.labels];
  const holds = ids.map((id) => keys.reservation(id));
  const ends = [...places.values()].map(({ end }) => end);
  const args = [`${ids.length}`, ...ends, ...ids.flatMap((id, i) => [id, perId[i]!])];
  const raw = await wire.send('reap', [...names, ...holds, ...places.keys()], args);
  const reply: ReapReply = { ...replyOf(raw, []), results: [] };
  if (raw.answer !== 'SWEPT') return reply;
  reply.results = (raw.detail as string[][]).map((told, i) => {
    const id = ids[i]!;
    if (told[0] !== 'NOT_DUE') pinned.delete(id);
    return resultOf(id, told, lines[i]!, raw);
  });
  return reply;
}

// The reaper meets other gateways' holds: their lines are read first, all in one round trip.
async function linesOf(
  { redis, keys, pinned }: RedisParts,
  ids: readonly string[],
): Promise<Pinned[]> {
  const unknown = ids.filter((id) => !pinned.has(id));
  const calls = unknown.map((id) => ['hget', keys.reservation(id), 'lines'] as const);
  const texts = await redis.pipeline(calls).catch(toLedgerUnavailable);
  const read = new Map(
    unknown.map((id, i) => {
      const text = texts[i];
      return [id, pin(keys, typeof text === 'string' ? readLinesText(text) : [])] as const;
    }),
  );
  return ids.map((id) => read.get(id) ?? pinned.get(id));
}

function resultOf(
  id: string,
  [answer, reclaimed, booked, stub]: readonly string[],
  pins: Pinned,
  raw: Raw,
): ReapReply['results'][number] {
  if (answer !== 'REAPED') return { id, answer: answer as 'GONE' | 'NOT_DUE' };
  const result = { id, answer, reclaimed: readAmounts(reclaimed) as Amounts } as const;
  if (!stub) return result;
  const lines = bookedLines(pins.lines, booked ?? '');
  const event: UsageEvent = {
    ...{ id, kind: 'base', lines, stub: parseOwnJson<Stub>(stub) },
    ...stamp(raw),
  };
  return { ...result, event };
}

export function stamp({
  seq,
  epoch,
  timeMs: atMs,
}: Raw): Pick<UsageEvent, 'seq' | 'epoch' | 'atMs'> {
  return { seq, epoch, atMs };
}

/** Amount and overrun of each line, as words in turn. */
export function bookedLines(lines: readonly LineKey[], booked: string): BookedLine[] {
  const words = new Words(booked);
  const told = new Array<BookedLine>(lines.length);
  for (let i = 0; i < lines.length; i++) {
    const { envelope: e, label: l, unit: u } = lines[i]!;
    const a = words.number();
    told[i] = { e, l, u, a, o: words.number() };
  }
  return told;
}
