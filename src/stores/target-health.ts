// Which targets answer, in this process: one breaker for each target that has ever failed.

import {
  askBreaker,
  type Breaker,
  type BreakerOptions,
  breakerFailed,
  CLOSED,
} from '../rules/routing/breaker.js';

export interface TargetHealth {
  isHealthy(targetId: string): boolean;
  succeeded(targetId: string): void;
  failed(targetId: string): void;
  /** Nothing is known against any target. */
  allWell(): boolean;
  /** Targets whose breaker is not closed. */
  unhealthy(): readonly string[];
}

export function openTargetHealth(nowMs: () => number, options: BreakerOptions): TargetHealth {
  const breakers = new Map<string, Breaker>();
  return {
    isHealthy(targetId) {
      const known = breakers.get(targetId);
      if (!known) return true;
      const { healthy, breaker } = askBreaker(known, nowMs(), options);
      breakers.set(targetId, breaker);
      return healthy;
    },
    succeeded(targetId) {
      breakers.delete(targetId);
    },
    failed(targetId) {
      const known = breakers.get(targetId) ?? CLOSED;
      breakers.set(targetId, breakerFailed(known, nowMs(), options));
    },
    allWell: () => breakers.size === 0,
    unhealthy() {
      const open = [...breakers].filter(([, breaker]) => breaker.phase !== 'closed');
      return open.map(([targetId]) => targetId);
    },
  };
}
