// The longest time between two turns of the event loop. Time in which somebody else had the core
// is not counted: what blocks is what this very thread did.

import { mainThreadCpuUs } from './processes.js';

export interface Heartbeat {
  begin(): void;
  /** Ends it and answers the longest, in milliseconds. */
  end(): number;
}

export function heartbeat(): Heartbeat {
  let last = stamp();
  let longestMs = 0;
  let running = true;
  const look = (): void => {
    const now = stamp();
    longestMs = Math.max(longestMs, Math.min(now.wallMs - last.wallMs, now.cpuMs - last.cpuMs));
    last = now;
    if (running) setImmediate(look);
  };
  setImmediate(look);
  return {
    begin() {
      last = stamp();
      longestMs = 0;
    },
    end() {
      running = false;
      look();
      return longestMs;
    },
  };
}

function stamp(): { wallMs: number; cpuMs: number } {
  return { wallMs: performance.now(), cpuMs: mainThreadCpuUs(process.pid) / 1000 };
}
