// Feels a gateway's pulse while it is under load: a round through its loop and a write to its disk,
// again and again. What is promised "within two beats" is promised of a gateway that runs; on a
// machine that gave it no time, the time that it did not get is not counted.

import { appendFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './calls.js';

export interface Stall {
  fromMs: number;
  toMs: number;
}

export interface Pulse {
  /** Resolves, once the gateway has ended, with every time in which it stood still. */
  stalls: Promise<Stall[]>;
}

const EVERY_MS = 10;
// What is read, beaten and written with less than this of delay each is still within two beats of
// 200 ms, of which the beat itself takes one at most.
const STALL_MS = 80;

/** Goes on until the gateway answers no more. */
export function feelPulse(url: string, file: string): Pulse {
  return { stalls: feel(url, file) };
}

async function feel(url: string, file: string): Promise<Stall[]> {
  const stalls: Stall[] = [];
  for (;;) {
    const fromMs = nowMs();
    const answered = await fetch(`${url}/healthz`)
      .then((response) => response.arrayBuffer())
      .then(() => appendFile(file, '.'))
      .then(
        () => true,
        () => false,
      );
    const toMs = nowMs();
    if (!answered || toMs - fromMs > STALL_MS) stalls.push({ fromMs, toMs });
    if (!answered) return stalls;
    await sleep(EVERY_MS);
  }
}

/** The moment since which, until `untilMs`, the gateway ran for `awakeMs`. */
export function awakeSince(stalls: readonly Stall[], untilMs: number, awakeMs: number): number {
  let [at, left] = [untilMs, awakeMs];
  for (const { fromMs, toMs } of stalls.toReversed()) {
    if (fromMs >= at) continue;
    const awake = Math.max(0, at - toMs);
    if (awake >= left) break;
    left -= awake;
    at = fromMs;
  }
  return at - left;
}
