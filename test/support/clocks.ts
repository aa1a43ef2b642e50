// Clocks for tests: one that a test moves by hand, and the machine's own.

import type { Clock } from '#src/core/clock.js';

export interface HandClock extends Clock {
  /** Moves time on and calls what has become due, in order. */
  advance(ms: number): void;
}

export function handClock(startMs = Date.UTC(2026, 10, 21, 9, 41)): HandClock {
  let nowMs = startMs;
  let timers: { dueMs: number; everyMs: number; fire: () => void }[] = [];
  const add = (afterMs: number, everyMs: number, fire: () => void) => {
    const timer = { dueMs: nowMs + afterMs, everyMs, fire };
    timers.push(timer);
    return () => {
      timers = timers.filter((other) => other !== timer);
    };
  };
  return {
    nowMs: () => nowMs,
    elapsedMs: () => nowMs - startMs,
    every: (everyMs, tick) => add(everyMs, everyMs, tick),
    after: (afterMs, fire) => add(afterMs, 0, fire),
    advance(ms) {
      const endMs = nowMs + ms;
      for (;;) {
        timers.sort((left, right) => left.dueMs - right.dueMs);
        const [first] = timers;
        if (!first || first.dueMs > endMs) break;
        nowMs = first.dueMs;
        if (first.everyMs > 0) first.dueMs += first.everyMs;
        else timers.shift();
        first.fire();
      }
      nowMs = endMs;
    },
  };
}

export function realClock(): Clock {
  return {
    nowMs: () => Date.now(),
    elapsedMs: () => performance.now(),
    every(everyMs, tick) {
      const timer = setInterval(tick, everyMs).unref();
      return () => clearInterval(timer);
    },
    after(afterMs, fire) {
      const timer = setTimeout(fire, afterMs).unref();
      return () => clearTimeout(timer);
    },
  };
}
