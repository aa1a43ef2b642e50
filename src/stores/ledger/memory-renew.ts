// extend and beat: more hold if there is room; the phase, and later leases. What was told of a
// call's spend only rises, so that messages may overtake each other.

import { maxAmounts } from '../../core/amount.js';
import { AMOUNT_MAX } from '../../core/money.js';
import { isBeatRequest, isExtendRequest } from './check-request.js';
import type {
  BeatReply,
  BeatRequest,
  Ending,
  ExtendReply,
  ExtendRequest,
  Shortage,
} from './ledger.js';
import { balancesOf, type Hold, type MemoryState, replyOf } from './memory-state.js';

export function extend(state: MemoryState, request: ExtendRequest): ExtendReply {
  const timeMs = state.clock.nowMs();
  if (!isExtendRequest(request)) return replyOf(state, 'INVALID_INPUT', timeMs);
  if (!state.isOpen) return replyOf(state, 'LEDGER_LOST', timeMs);
  const hold = state.holds.get(request.id);
  if (!hold) {
    const ending = endingOf(state, request.id, timeMs);
    return { ending, ...replyOf(state, 'GONE', timeMs) };
  }
  const { lines, counters, held } = hold;
  const shortages = shortagesOf(hold, request);
  if (shortages.length > 0) {
    const balances = balancesOf(counters, lines);
    return { shortages, ...replyOf(state, 'DENIED', timeMs, balances) };
  }
  for (let i = 0; i < lines.length; i++) {
    if (counters[i]!.reserved + request.more[lines[i]!.unit] > AMOUNT_MAX) {
      return replyOf(state, 'INVALID_INPUT', timeMs);
    }
  }

  state.seq += 1;
  for (let i = 0; i < lines.length; i++) {
    const more = request.more[lines[i]!.unit];
    held[i]! += more;
    counters[i]!.reserved += more;
  }
  hold.leaseEndsAtMs = timeMs + request.leaseMs;
  return replyOf(state, 'EXTENDED', timeMs, balancesOf(counters, lines));
}

// A line that asks for nothing is not looked at: a limit lowered meanwhile cancels nothing.
function shortagesOf(hold: Hold, request: ExtendRequest): Shortage[] {
  const shortages: Shortage[] = [];
  for (let i = 0; i < hold.lines.length; i++) {
    const { envelope, label, unit } = hold.lines[i]!;
    const needed = request.more[unit];
    const { home, committed, reserved } = hold.counters[i]!;
    const { limit } = home;
    if (needed === 0 || limit === null || home.mode !== 'block') continue;
    if (committed + reserved + needed <= limit) continue;
    shortages.push({ envelope, label, unit, needed, limit, committed, reserved });
  }
  return shortages;
}

export function beat(state: MemoryState, request: BeatRequest): BeatReply {
  const timeMs = state.clock.nowMs();
  const gone: BeatReply['gone'] = [];
  if (!isBeatRequest(request)) return { gone, ...replyOf(state, 'INVALID_INPUT', timeMs) };
  if (!state.isOpen) return { gone, ...replyOf(state, 'LEDGER_LOST', timeMs) };
  let renewed = 0;
  for (const { id, seen, sent } of request.beats) {
    const hold = state.holds.get(id);
    if (hold) {
      hold.leaseEndsAtMs = timeMs + request.leaseMs;
      hold.seen = maxAmounts(hold.seen, seen);
      if (sent) {
        hold.phase = 'sent';
        hold.floor = maxAmounts(hold.floor, sent.floor);
      }
      renewed += 1;
    } else {
      gone.push({ id, ending: endingOf(state, id, timeMs) });
    }
  }
  if (renewed > 0) state.seq += 1;
  const { seq, epoch } = state;
  return { answer: 'BEATEN', balances: [], seq, epoch, timeMs, gone };
}

function endingOf(state: MemoryState, id: string, timeMs: number): Ending {
  const what = state.tombstones.get(id, timeMs)?.what;
  if (what === 'voided') return 'released';
  return what === undefined || what === 'refused' ? 'unknown' : what;
}
