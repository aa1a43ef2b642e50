// reserve: holds an amount in every envelope, or in none. Reads all, decides, then writes all.

import { NOTHING } from '../../core/amount.js';
import type { ReserveLine } from '../../core/line.js';
import { AMOUNT_MAX } from '../../core/money.js';
import { isReserveRequest } from './check-request.js';
import type { ReserveReply, ReserveRequest, Shortage } from './ledger.js';
import {
  balancesOf,
  type Counter,
  counterOf,
  homeOf,
  keepLimit,
  linesHash,
  type MemoryState,
  noteId,
  replyOf,
  TOMBSTONE_MS,
} from './memory-state.js';

export function reserve(state: MemoryState, request: ReserveRequest): ReserveReply {
  const timeMs = state.clock.nowMs();
  if (!isReserveRequest(request)) return replyOf(state, 'INVALID_INPUT', timeMs);
  if (!state.isOpen) return replyOf(state, 'LEDGER_LOST', timeMs);
  const { id, lines } = request;
  const counters = new Array<Counter>(lines.length);
  for (let i = 0; i < lines.length; i++) {
    counters[i] = counterOf(homeOf(state, lines[i]!.envelope), lines[i]!.label);
  }
  const hash = linesHash(counters, lines);
  const known = noteId(state, id) ? undefined : recall(state, id, hash, counters, lines, timeMs);
  if (known) return known;

  const shortages: Shortage[] = [];
  for (let i = 0; i < lines.length; i++) {
    const shortage = shortageOf(counters[i]!, lines[i]!);
    if (shortage) shortages.push(shortage);
    else if (counters[i]!.reserved + lines[i]!.amount > AMOUNT_MAX) {
      return replyOf(state, 'INVALID_INPUT', timeMs);
    }
  }

  state.seq += 1;
  for (let i = 0; i < lines.length; i++) keepLimit(counters[i]!.home, lines[i]!);
  if (shortages.length > 0) {
    const expiresAtMs = timeMs + TOMBSTONE_MS;
    state.tombstones.add({ id, expiresAtMs, hash, what: 'refused', shortages }, timeMs);
    const balances = balancesOf(counters, lines);
    return { shortages, ...replyOf(state, 'BUDGET_EXCEEDED', timeMs, balances) };
  }
  open(state, request, hash, counters, timeMs);
  return replyOf(state, 'RESERVED', timeMs, balancesOf(counters, lines));
}

/** The answer to an id that was seen before; undefined for a new one. */
function recall(
  state: MemoryState,
  id: string,
  hash: number,
  counters: readonly Counter[],
  lines: readonly ReserveLine[],
  timeMs: number,
): ReserveReply | undefined {
  const open = state.holds.get(id);
  const past = open ? undefined : state.tombstones.get(id, timeMs);
  const first = open ?? past;
  if (!first) return undefined;
  if (past?.what === 'voided') return replyOf(state, 'VOIDED', timeMs);
  if (first.hash !== hash) return replyOf(state, 'CONFLICT', timeMs);
  const balances = balancesOf(counters, lines);
  if (past?.shortages) {
    const { shortages } = past;
    return { shortages, ...replyOf(state, 'BUDGET_EXCEEDED', timeMs, balances) };
  }
  return replyOf(state, 'ALREADY_RESERVED', timeMs, balances);
}

// A limit of 0 refuses also what costs nothing: it is how an operator says stop.
function shortageOf(counter: Counter, line: ReserveLine): Shortage | undefined {
  const { limit, mode } = counter.home.version >= line.version ? counter.home : line;
  if (limit === null || mode !== 'block') return undefined;
  const { committed, reserved } = counter;
  const needed = line.amount;
  if (limit > 0 && committed + reserved + needed <= limit) return undefined;
  const { envelope, label, unit } = line;
  return { envelope, label, unit, needed, limit, committed, reserved };
}

function open(
  state: MemoryState,
  request: ReserveRequest,
  hash: number,
  counters: readonly Counter[],
  timeMs: number,
): void {
  const { id, owner, lines, stub } = request;
  const held = new Array<number>(lines.length);
  for (let i = 0; i < lines.length; i++) {
    held[i] = lines[i]!.amount;
    counters[i]!.reserved += lines[i]!.amount;
  }
  state.holds.set(id, {
    id,
    owner,
    hash,
    lines,
    counters,
    held,
    phase: 'held',
    floor: NOTHING,
    seen: NOTHING,
    leaseEndsAtMs: timeMs + request.leaseMs,
    stub,
  });
}
