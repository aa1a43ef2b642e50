// Waits until a side has written down all that its calls left behind.

import type { Side } from './sides.js';

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
