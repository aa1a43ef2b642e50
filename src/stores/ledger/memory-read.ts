// Reads of the memory ledger, and what it forgets: counters of past labels.

import { randomInt } from 'node:crypto';
import type { Unit } from '../../core/amount.js';
import type { Balance } from '../../core/envelope.js';
import { labelEndsBeforeMs } from '../../rules/budget/label-end.js';
import type { OpenHold } from './ledger.js';
import type { Counter, Hold, Home, MemoryState } from './memory-state.js';

const KEPT_MS = 48 * 3_600_000;
const SWEEP_EVERY_MS = 600_000;

export function balances(
  state: MemoryState,
  lines: readonly { envelope: string; label: string; unit: Unit }[],
): Balance[] {
  return lines.map(({ envelope, label, unit }) => {
    const home = state.homes.get(envelope);
    const counter = home?.counters.get(label);
    return {
      envelope,
      label,
      unit,
      limit: home?.limit ?? null,
      mode: home?.mode ?? 'block',
      committed: counter?.committed ?? 0,
      reserved: counter?.reserved ?? 0,
      overrun: counter?.overrun ?? 0,
    };
  });
}

export function holds(
  state: MemoryState,
  { offset, limit }: { offset: number; limit: number },
): { holds: OpenHold[]; total: number } {
  const all = [...state.holds.values()].sort((a, b) => a.leaseEndsAtMs - b.leaseEndsAtMs);
  return { holds: all.slice(offset, offset + limit).map(openHoldOf), total: all.length };
}

function openHoldOf(hold: Hold): OpenHold {
  const { id, owner, phase, floor, seen, leaseEndsAtMs, stub, held } = hold;
  const lines = hold.lines.map((line, i) => ({ ...line, amount: held[i]! }));
  return { id, owner, phase, lines, floor, seen, leaseEndsAtMs, stub };
}

// Several reapers that start at the same place would all fight for the same head.
export function overdue(state: MemoryState, limit: number): string[] {
  const nowMs = state.clock.nowMs();
  const due: string[] = [];
  for (const hold of state.holds.values()) if (hold.leaseEndsAtMs <= nowMs) due.push(hold.id);
  if (due.length <= limit) return due;
  const start = randomInt(due.length);
  return [...due.slice(start), ...due.slice(0, start)].slice(0, limit);
}

/** Drops counters whose label is past, 48 h after they were last touched, if no hold is open. */
export function sweepCounters(state: MemoryState): void {
  const nowMs = state.clock.nowMs();
  if (nowMs < state.sweepAtMs) return;
  state.sweepAtMs = nowMs + SWEEP_EVERY_MS;
  // A hold may have nothing on one of its counters, and will book there all the same.
  const inUse = new Set<Counter>();
  for (const { counters } of state.holds.values()) for (const one of counters) inUse.add(one);
  for (const home of state.homes.values()) {
    for (const counter of home.counters.values()) {
      if (isPast(counter, nowMs) && !inUse.has(counter)) drop(home, counter);
    }
    if (home.counters.size === 0 && isOneOfMany(home)) state.homes.delete(home.envelope);
  }
}

function isPast(counter: Counter, nowMs: number): boolean {
  if (counter.reserved > 0 || counter.touchedAtMs + KEPT_MS > nowMs) return false;
  const endsBeforeMs = labelEndsBeforeMs(counter.label);
  return endsBeforeMs !== undefined && endsBeforeMs <= nowMs;
}

function drop(home: Home, counter: Counter): void {
  home.counters.delete(counter.label);
  if (home.latest === counter) home.latest = undefined;
}

// A template has one envelope a value, without bound; its next reserve brings the limit again.
function isOneOfMany(home: Home): boolean {
  return /^limit:[^:]+:/.test(home.envelope);
}
