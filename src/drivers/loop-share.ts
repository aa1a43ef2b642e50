// How busy the event loop is, so that what can wait lets go first what cannot.

import { performance } from 'node:perf_hooks';

/** Answers the share of time (0 to 1) in which the loop worked since it was asked last. */
export function loopShare(): () => number {
  let before = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    return utilization;
  };
}
