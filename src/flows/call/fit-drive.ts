// Drives work that comes in small steps: counts what it asks for, and lets other work of the
// process go between as soon as it has held the loop for a moment.

import { setImmediate } from 'node:timers/promises';
import type { Target } from '../../core/call.js';
import type { Clock } from '../../core/clock.js';
import type { Steps } from '../../rules/prompt/slot.js';

export type CountEach = (
  texts: readonly string[],
  target: Target,
) => readonly number[] | Promise<readonly number[]>;

/** Others wait for no more than this and one step. */
const HELD_MS = 0.4;

export async function driveSteps<T>(
  steps: Steps<T>,
  deps: { clock: Clock; countEach: CountEach },
  target: Target,
): Promise<T> {
  let sinceMs = deps.clock.elapsedMs();
  let step = steps.next([]);
  while (!step.done) {
    const counts = step.value.length === 0 ? [] : deps.countEach(step.value, target);
    const known = 'then' in counts ? await counts : counts;
    if (deps.clock.elapsedMs() - sinceMs >= HELD_MS) {
      await setImmediate();
      sinceMs = deps.clock.elapsedMs();
    }
    step = steps.next(known);
  }
  return step.value;
}
