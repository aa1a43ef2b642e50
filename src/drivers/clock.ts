// The real clock: the only place that reads the time of day.

import type { Clock } from '../core/clock.js';

export const realClock: Clock = {
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
