// Clients that leave a stream at a random byte, and how soon that has an end everywhere.

import { abortCalls, LANES, NO_ABORTS, openAbortStory } from '../support/meter/aborts.js';
import { openOwnDatabase } from './own-database.js';
import type { TrialOptions, TrialResult } from './trial.js';

const UPSTREAM_CLOSED_P99_MS = 100;
const HOLD_GONE_MS = 1_000;

export async function runAborts({ count, seed, onProgress }: TrialOptions): Promise<TrialResult> {
  const story = await openAbortStory(await openOwnDatabase());
  const figures = NO_ABORTS();
  try {
    for (let done = 0; done < count; done += LANES) {
      const length = Math.min(LANES, count - done);
      const seeds = Array.from({ length }, (_, index) => seed + done + index);
      await abortCalls(story, seeds, figures);
      onProgress?.(done + length);
    }
  } finally {
    await story.end().catch((error: Error) => figures.faults.push(error.message));
  }
  const closed = figures.upstreamClosedMs.sort((left, right) => left - right);
  const p99 = closed[Math.ceil(closed.length * 0.99) - 1] ?? Number.NaN;
  const slowest = Math.max(...figures.holdGoneMs);
  const violations = [...figures.faults];
  if (!(p99 <= UPSTREAM_CLOSED_P99_MS)) violations.push(`upstreams closed after ${p99} ms (p99)`);
  if (!(slowest <= HOLD_GONE_MS)) violations.push(`a hold was gone after ${slowest} ms`);
  const others = closed.length - figures.exact;
  if (others > 0)
    violations.push(`${others} rows are more than one event off at the closed socket`);
  return {
    figures: [
      ['calls left by their clients', figures.calls],
      ['of them before the first byte', figures.beforeTheFirstByte],
      ['whose answer had come whole', figures.ended],
      ['one row each, with what was written when the socket closed, +- one event', figures.exact],
      ['upstream closed after, p50, ms', (closed[closed.length >> 1] ?? 0).toFixed(1)],
      ['upstream closed after, p99, ms', p99.toFixed(1)],
      ['holds gone after, slowest, ms', slowest.toFixed(1)],
    ],
    violations,
  };
}
