// A breaker per target, as values: closed until failures follow each other, then open for a time
// that doubles with each relapse, then half-open, where one call at a time finds out. An open
// breaker moves a target to the end of a plan; it refuses nothing by itself.

export interface BreakerOptions {
  /** So many failures in a row open it. */
  failures: number;
  /** How long it stays open the first time. */
  openMs: number;
  openMaxMs: number;
  /** A probe whose outcome is not heard by then no longer keeps others waiting. */
  probeMs: number;
}

export interface Breaker {
  phase: 'closed' | 'open' | 'half-open';
  /** In a row. */
  failures: number;
  /** Times opened since it was last closed. */
  relapses: number;
  openUntilMs: number;
  probeUntilMs: number;
}

/** Also what a success leaves, whatever was before. */
export const CLOSED: Breaker = {
  phase: 'closed',
  failures: 0,
  relapses: 0,
  openUntilMs: 0,
  probeUntilMs: 0,
};

/** Whether the target may be tried first; a half-open one says so to one asker at a time. */
export function askBreaker(
  breaker: Breaker,
  nowMs: number,
  options: BreakerOptions,
): { healthy: boolean; breaker: Breaker } {
  if (breaker.phase === 'closed') return { healthy: true, breaker };
  const waitUntilMs = breaker.phase === 'open' ? breaker.openUntilMs : breaker.probeUntilMs;
  if (nowMs < waitUntilMs) return { healthy: false, breaker };
  const probeUntilMs = nowMs + options.probeMs;
  return { healthy: true, breaker: { ...breaker, phase: 'half-open', probeUntilMs } };
}

export function breakerFailed(breaker: Breaker, nowMs: number, options: BreakerOptions): Breaker {
  const failures = breaker.failures + 1;
  // Calls that were under way when it opened say nothing new.
  if (breaker.phase === 'open') return { ...breaker, failures };
  if (breaker.phase === 'closed' && failures < options.failures) return { ...breaker, failures };
  const relapses = breaker.relapses + 1;
  const openMs = Math.min(options.openMs * 2 ** (relapses - 1), options.openMaxMs);
  return { phase: 'open', failures, relapses, openUntilMs: nowMs + openMs, probeUntilMs: 0 };
}
