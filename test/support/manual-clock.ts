// A clock that stands still until it is moved, and then fires what became due, in order.

import type { Clock } from '#src/core/clock.js';

export interface ManualClock extends Clock {
  advance(ms: number): void;
  /** Sets the wall clock, also backwards; fires nothing. */
  jumpTo(nowMs: number): void;
}

export function manualClock(startMs: number): ManualClock {
  let wallMs = startMs;
  let elapsedMs = 0;
  const timers = new Set<{ dueMs: number; everyMs?: number; fire: () => void }>();
  const start = (afterMs: number, fire: () => void, everyMs?: number): (() => void) => {
    const timer = { dueMs: elapsedMs + afterMs, fire, ...(everyMs !== undefined && { everyMs }) };
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const move = (ms: number): void => {
    wallMs += ms;
    elapsedMs += ms;
  };
  return {
    nowMs: () => wallMs,
    elapsedMs: () => elapsedMs,
    every: (everyMs, tick) => start(everyMs, tick, everyMs),
    after: (afterMs, fire) => start(afterMs, fire),
    jumpTo(nowMs) {
      wallMs = nowMs;
    },
    advance(ms) {
      const untilMs = elapsedMs + ms;
      for (;;) {
        const due = [...timers].filter(({ dueMs }) => dueMs <= untilMs);
        const next = due.sort((a, b) => a.dueMs - b.dueMs)[0];
        if (!next) break;
        move(Math.max(0, next.dueMs - elapsedMs));
        if (next.everyMs === undefined) timers.delete(next);
        else next.dueMs += next.everyMs;
        next.fire();
      }
      move(untilMs - elapsedMs);
    },
  };
}
