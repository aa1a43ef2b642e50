import { describe, expect, it } from 'vitest';
import { askBreaker, breakerFailed, CLOSED } from '#src/rules/routing/breaker.js';
import { openTargetHealth } from '#src/stores/target-health.js';

const options = { failures: 3, openMs: 1000, openMaxMs: 3000, probeMs: 100 };
const failTimes = (count: number, nowMs: number, from = CLOSED) => {
  let breaker = from;
  for (let i = 0; i < count; i++) breaker = breakerFailed(breaker, nowMs, options);
  return breaker;
};
const healthy = (breaker: typeof CLOSED, nowMs: number) =>
  askBreaker(breaker, nowMs, options).healthy;

describe('a breaker', () => {
  it('opens after so many failures in a row and not before', () => {
    expect(healthy(failTimes(2, 0), 0)).toBe(true);
    expect(healthy(failTimes(3, 0), 999)).toBe(false);
  });

  it('lets one asker probe once its time is over, and the next when no outcome came', () => {
    const asked = askBreaker(failTimes(3, 0), 1000, options);
    expect(asked.healthy).toBe(true);
    expect(healthy(asked.breaker, 1050)).toBe(false);
    expect(healthy(asked.breaker, 1100)).toBe(true);
  });

  it('stays open longer after each relapse, up to a bound', () => {
    let breaker = failTimes(3, 0);
    let nowMs = 0;
    for (const openMs of [1000, 2000, 3000, 3000]) {
      expect(healthy(breaker, nowMs + openMs - 1)).toBe(false);
      nowMs += openMs;
      breaker = breakerFailed(askBreaker(breaker, nowMs, options).breaker, nowMs, options);
    }
  });

  it('is not kept open by calls that were under way when it opened', () => {
    expect(healthy(failTimes(50, 500, failTimes(3, 0)), 1000)).toBe(true);
  });

  it('is closed by one success, per target', () => {
    let nowMs = 0;
    const health = openTargetHealth(() => nowMs, options);
    for (let i = 0; i < 3; i++) health.failed('a');
    expect([health.isHealthy('a'), health.isHealthy('b')]).toEqual([false, true]);
    expect(health.unhealthy()).toEqual(['a']);
    nowMs = 1000;
    expect(health.isHealthy('a')).toBe(true);
    health.succeeded('a');
    expect(health.unhealthy()).toEqual([]);
    health.failed('a');
    expect(health.isHealthy('a')).toBe(true);
  });
});
