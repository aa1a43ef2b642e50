// adjust, setLimits and restore: what operators and a rebuild may do to counters. Restore is for
// a ledger whose admission is closed, so it asks for no room.

import { AMOUNT_MAX } from '../../core/money.js';
import { areLimitSettings, isAdjustRequest, isRestoreRequest } from './check-request.js';
import type {
  AdjustReply,
  AdjustRequest,
  AnyVerb,
  LimitSetting,
  OpenHold,
  Reply,
  RestoreRequest,
} from './ledger.js';
import {
  balancesOf,
  counterOf,
  homeOf,
  keepLimit,
  linesHash,
  type MemoryState,
  noteId,
  replyOf,
  TOMBSTONE_MS,
} from './memory-state.js';

export function adjust(state: MemoryState, request: AdjustRequest): AdjustReply {
  const timeMs = state.clock.nowMs();
  if (!isAdjustRequest(request)) return replyOf(state, 'INVALID_INPUT', timeMs);
  if (!state.isOpen) return replyOf(state, 'LEDGER_LOST', timeMs);
  const { id, lines } = request;
  if (state.adjusts.get(id, timeMs)) return replyOf(state, 'EXISTS', timeMs);
  const counters = lines.map((line) => counterOf(homeOf(state, line.envelope), line.label));
  // `0 -`, because `-0` is told apart by whoever compares events.
  const applied = lines.map((line, i) => Math.max(line.amount, 0 - counters[i]!.committed));
  const fits = counters.every(
    ({ committed, adjusted }, i) =>
      committed + applied[i]! <= AMOUNT_MAX && Math.abs(adjusted + applied[i]!) <= AMOUNT_MAX,
  );
  if (!fits) return replyOf(state, 'INVALID_INPUT', timeMs);

  state.seq += 1;
  state.adjusts.add({ id, expiresAtMs: timeMs + TOMBSTONE_MS }, timeMs);
  const booked = lines.map(({ envelope, label, unit }, i) => {
    const counter = counters[i]!;
    const amount = applied[i]!;
    counter.committed += amount;
    counter.adjusted += amount;
    counter.isBooked = true;
    counter.touchedAtMs = timeMs;
    return { e: envelope, l: label, u: unit, a: amount, o: 0 };
  });
  const { seq, epoch } = state;
  const event = { lines: booked, seq, epoch, atMs: timeMs, ...request.event };
  return { event, ...replyOf(state, 'ADJUSTED', timeMs, balancesOf(counters, lines)) };
}

export function setLimits(
  state: MemoryState,
  settings: readonly LimitSetting[],
): Reply<AnyVerb | 'SET'> & { stale: string[] } {
  const timeMs = state.clock.nowMs();
  const stale: string[] = [];
  if (!areLimitSettings(settings)) return { stale, ...replyOf(state, 'INVALID_INPUT', timeMs) };
  let changed = false;
  for (const setting of settings) {
    const home = homeOf(state, setting.envelope);
    if (setting.version < home.version) stale.push(setting.envelope);
    changed ||= setting.version > home.version;
    keepLimit(home, setting);
  }
  if (changed) state.seq += 1;
  return { stale, ...replyOf(state, 'SET', timeMs) };
}

export function restore(
  state: MemoryState,
  request: RestoreRequest,
): Reply<'RESTORED' | 'EXISTS' | AnyVerb> {
  const timeMs = state.clock.nowMs();
  if (state.isOpen || !isRestoreRequest(request)) return replyOf(state, 'INVALID_INPUT', timeMs);
  if (request.what === 'hold') return restoreHold(state, request.hold, timeMs);
  const { envelope, label, unit, committed, overrun, adjusted } = request;
  const counter = counterOf(homeOf(state, envelope), label);
  const lines = [{ unit }];
  if (counter.isBooked) {
    return replyOf(state, 'EXISTS', timeMs, balancesOf([counter], lines));
  }
  state.seq += 1;
  const touchedAtMs = timeMs;
  Object.assign(counter, { committed, overrun, adjusted, isBooked: true, touchedAtMs });
  return replyOf(state, 'RESTORED', timeMs, balancesOf([counter], lines));
}

function restoreHold(
  state: MemoryState,
  hold: OpenHold,
  timeMs: number,
): Reply<'RESTORED' | 'EXISTS' | AnyVerb> {
  const { id, lines } = hold;
  if (state.holds.has(id) || state.tombstones.get(id, timeMs)) {
    return replyOf(state, 'EXISTS', timeMs);
  }
  const counters = lines.map((line) => counterOf(homeOf(state, line.envelope), line.label));
  if (counters.some(({ reserved }, i) => reserved + lines[i]!.amount > AMOUNT_MAX)) {
    return replyOf(state, 'INVALID_INPUT', timeMs);
  }
  state.seq += 1;
  const held = lines.map((line, i) => {
    keepLimit(counters[i]!.home, line);
    counters[i]!.reserved += line.amount;
    return line.amount;
  });
  const { owner, phase, floor, seen, leaseEndsAtMs, stub } = hold;
  const hash = linesHash(counters, lines);
  noteId(state, id);
  state.holds.set(id, {
    ...{ id, owner, hash, lines, counters, held, phase, floor, seen, leaseEndsAtMs, stub },
  });
  return replyOf(state, 'RESTORED', timeMs, balancesOf(counters, lines));
}
