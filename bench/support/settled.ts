// Waits until a side has written down all that its calls left behind; and how busy the other core
// was, with the load, the upstream and Redis: near 100 % it is that core which was measured.

import { cpuUs } from './processes.js';
import type { Side } from './sides.js';
import type { Load } from './tools.js';

const WAIT_MS_MOST = 20_000;
const POLL_MS = 50;

/** Answers how long it took; at once where the side tells nothing. */
export async function settled(side: Side): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    const pending = await side.metric('purser_spool_pending_events');
    const tookMs = performance.now() - startMs;
    if (pending === undefined) return 0;
    if (pending === 0 || tookMs > WAIT_MS_MOST) return tookMs;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Begins now; the answer takes the load that ran since, and is in per cent of a core. */
export function busyShare(upstreamPid: number, side: Side): (load: Load) => number {
  const others = () => cpuUs(upstreamPid) + side.otherCpuUs();
  const before = others();
  return (load) => {
    const usedUs = others() - before + load.cpuUs;
    return (usedUs / (load.seconds * 1e6)) * 100;
  };
}
