// finalize, release and reap: the endings, of which every hold has exactly one. An ending gives
// back the whole hold and books the true amount in the same step, whether there is room or not.

import { type Amounts, maxAmounts, NOTHING, type Unit } from '../../core/amount.js';
import { parseOwnJson } from '../../core/json.js';
import type { BookedLine, ReserveLine } from '../../core/line.js';
import { AMOUNT_MAX } from '../../core/money.js';
import type { Stub, UsageEvent } from '../../core/usage-event.js';
import { areReapIds, isFinalizeRequest, isName } from './check-request.js';
import type { FinalizeReply, FinalizeRequest, ReapReply, ReleaseReply } from './ledger.js';
import {
  balancesOf,
  type Counter,
  counterOf,
  type Hold,
  homeOf,
  type MemoryState,
  noteId,
  replyOf,
  TOMBSTONE_MS,
  type Tombstone,
} from './memory-state.js';

export function finalize(state: MemoryState, request: FinalizeRequest): FinalizeReply {
  const timeMs = state.clock.nowMs();
  const custodian = 'none';
  const plain = (answer: FinalizeReply['answer']): FinalizeReply => ({
    custodian,
    ...replyOf(state, answer, timeMs),
  });
  if (!isFinalizeRequest(request)) return plain('INVALID_INPUT');
  if (!state.isOpen) return plain('LEDGER_LOST');
  const hold = state.holds.get(request.id);
  if (!hold) {
    const past = state.tombstones.get(request.id, timeMs);
    if (!past || past.what === 'refused' || past.what === 'voided') return plain('UNKNOWN');
    if (past.late === undefined || past.late === 'booked') return plain('ALREADY_FINALIZED');
    return finalizeLate(state, request, past, past.late, timeMs);
  }
  if (!hasRoomToBook(hold.counters, hold.lines, request.actual)) return plain('INVALID_INPUT');
  state.seq += 1;
  const lines = settle(hold, request.actual, timeMs);
  bury(state, hold, 'finalized', timeMs);
  const balances = balancesOf(hold.counters, hold.lines);
  const { seq, epoch } = state;
  const event = eventOf(request, lines, state, timeMs);
  return { answer: 'FINALIZED', balances, seq, epoch, timeMs, custodian, event };
}

// Member by member: of all that is booked here one is made for every call.
function eventOf(
  { event: { id, stub, reading, unbooked, actual, reason } }: FinalizeRequest,
  lines: BookedLine[],
  { seq, epoch }: MemoryState,
  atMs: number,
): UsageEvent {
  const event: UsageEvent = { id, kind: 'base', lines, stub, seq, epoch, atMs };
  if (reading) event.reading = reading;
  if (unbooked) event.unbooked = unbooked;
  if (actual) event.actual = actual;
  if (reason !== undefined) event.reason = reason;
  return event;
}

// The hold is gone and its room may be taken, so all that comes on top of the charge is overrun.
function finalizeLate(
  state: MemoryState,
  request: FinalizeRequest,
  past: Tombstone,
  { lines, charged }: { lines: readonly ReserveLine[]; charged: Amounts },
  timeMs: number,
): FinalizeReply {
  const counters = lines.map((line) => counterOf(homeOf(state, line.envelope), line.label));
  const custodian = 'none';
  if (!hasRoomToBook(counters, lines, request.actual)) {
    return { custodian, ...replyOf(state, 'INVALID_INPUT', timeMs) };
  }
  state.seq += 1;
  const booked = lines.map((line, i): BookedLine => {
    const counter = counters[i]!;
    const delta = request.actual[line.unit] - charged[line.unit];
    const amount = Math.max(delta, 0 - counter.committed);
    const overrun = Math.max(0, amount);
    book(counter, amount, overrun, timeMs);
    return { e: line.envelope, l: line.label, u: line.unit, a: amount, o: overrun };
  });
  past.late = 'booked';
  const { seq, epoch } = state;
  const stamp = { kind: 'late', lines: booked, seq, epoch, atMs: timeMs } as const;
  const event = { ...stamp, ...request.event };
  const balances = balancesOf(counters, lines);
  return { custodian, event, ...replyOf(state, 'LATE_FINALIZE', timeMs, balances) };
}

export function release(state: MemoryState, id: string): ReleaseReply {
  const timeMs = state.clock.nowMs();
  if (!isName(id)) return replyOf(state, 'INVALID_INPUT', timeMs);
  const hold = state.holds.get(id);
  if (hold) {
    state.seq += 1;
    for (let i = 0; i < hold.lines.length; i++) {
      giveBack(hold.counters[i]!, hold.held[i]!, timeMs);
    }
    bury(state, hold, 'released', timeMs, NOTHING);
    return replyOf(state, 'RELEASED', timeMs, balancesOf(hold.counters, hold.lines));
  }
  const past = state.tombstones.get(id, timeMs);
  if (!past) {
    state.seq += 1;
    noteId(state, id);
    const expiresAtMs = timeMs + TOMBSTONE_MS;
    state.tombstones.add({ id, expiresAtMs, hash: 0, what: 'voided' }, timeMs);
    return replyOf(state, 'VOIDED_AHEAD', timeMs);
  }
  return replyOf(state, RELEASED_BEFORE[past.what], timeMs);
}

const RELEASED_BEFORE = {
  finalized: 'ALREADY_FINALIZED',
  reaped: 'ALREADY_REAPED',
  released: 'ALREADY_RELEASED',
  refused: 'ALREADY_RELEASED',
  voided: 'VOIDED_AHEAD',
} as const;

export function reap(state: MemoryState, ids: readonly string[]): ReapReply {
  const timeMs = state.clock.nowMs();
  if (!areReapIds(ids)) return { results: [], ...replyOf(state, 'INVALID_INPUT', timeMs) };
  if (!state.isOpen) return { results: [], ...replyOf(state, 'LEDGER_LOST', timeMs) };
  const isDue = (id: string): boolean => {
    const hold = state.holds.get(id);
    return hold !== undefined && hold.leaseEndsAtMs <= timeMs;
  };
  if (ids.some(isDue)) state.seq += 1;
  const results = ids.map((id): ReapReply['results'][number] => {
    const hold = state.holds.get(id);
    if (!hold) return { id, answer: 'GONE' };
    if (hold.leaseEndsAtMs > timeMs) return { id, answer: 'NOT_DUE' };
    return reapOne(state, hold, timeMs);
  });
  return { results, ...replyOf(state, 'SWEPT', timeMs) };
}

function reapOne(state: MemoryState, hold: Hold, timeMs: number): ReapReply['results'][number] {
  const { id } = hold;
  const isSent = hold.phase === 'sent';
  const stub = parseOwnJson<Stub>(hold.stub);
  const greater = maxAmounts(hold.floor, hold.seen);
  const charge = isSent ? { ...greater, concurrency: 0 } : NOTHING;
  const reclaimed: Record<Unit, number> = { ...NOTHING };
  for (let i = 0; i < hold.lines.length; i++) {
    const { unit } = hold.lines[i]!;
    reclaimed[unit] = Math.max(reclaimed[unit], hold.held[i]! - charge[unit]);
  }
  const lines = settle(hold, charge, timeMs);
  bury(state, hold, 'reaped', timeMs, charge);
  if (!isSent) return { id, answer: 'REAPED', reclaimed };
  const { seq, epoch } = state;
  const event = { id, kind: 'base', lines, stub, seq, epoch, atMs: timeMs } as const;
  return { id, answer: 'REAPED', event, reclaimed };
}

/** Gives the hold back and books `actual` on each of its lines. */
function settle(hold: Hold, actual: Amounts, timeMs: number): BookedLine[] {
  const booked = new Array<BookedLine>(hold.lines.length);
  for (let i = 0; i < hold.lines.length; i++) {
    const { envelope, label, unit } = hold.lines[i]!;
    const amount = actual[unit];
    const overrun = Math.max(0, amount - hold.held[i]!);
    giveBack(hold.counters[i]!, hold.held[i]!, timeMs);
    book(hold.counters[i]!, amount, overrun, timeMs);
    booked[i] = { e: envelope, l: label, u: unit, a: amount, o: overrun };
  }
  return booked;
}

function giveBack(counter: Counter, amount: number, timeMs: number): void {
  counter.reserved -= amount;
  counter.touchedAtMs = timeMs;
}

function book(counter: Counter, amount: number, overrun: number, timeMs: number): void {
  counter.committed += amount;
  counter.overrun += overrun;
  counter.isBooked = true;
  counter.touchedAtMs = timeMs;
}

function hasRoomToBook(
  counters: readonly Counter[],
  lines: readonly ReserveLine[],
  actual: Amounts,
): boolean {
  return counters.every(({ committed, overrun }, i) => {
    const amount = actual[lines[i]!.unit];
    return committed + amount <= AMOUNT_MAX && overrun + amount <= AMOUNT_MAX;
  });
}

/** Ends the hold; what was charged is kept only where a late finalize may follow. */
function bury(
  state: MemoryState,
  hold: Hold,
  what: Tombstone['what'],
  timeMs: number,
  charged?: Amounts,
): void {
  const { id, hash, lines } = hold;
  const expiresAtMs = timeMs + TOMBSTONE_MS;
  state.holds.delete(id);
  const tombstone: Tombstone = { id, expiresAtMs, hash, what };
  if (charged) tombstone.late = { lines, charged };
  state.tombstones.add(tombstone, timeMs);
}
