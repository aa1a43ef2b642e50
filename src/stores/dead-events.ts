// Events that SQL would not take, kept for a human in an append log of their own. They are booked
// in the ledger and missing in the rows until somebody mends and feeds them again.

import type { UsageEvent } from '../core/usage-event.js';
import { type AppendLogOptions, openAppendLog } from '../drivers/append-log.js';

export interface DeadEvents {
  /** Resolves when it is durable. */
  put(event: UsageEvent, reason: string): Promise<void>;
  /** How many this process has put. */
  count(): number;
  close(): Promise<void>;
}

export async function openDeadEvents(options: AppendLogOptions): Promise<DeadEvents> {
  const log = await openAppendLog(options);
  let count = 0;
  return {
    async put(event, reason) {
      const text = JSON.stringify({ reason, event });
      await log.append(text, { durable: true, whenFull: 'wait' }).done;
      count += 1;
    },
    count: () => count,
    close: () => log.close(),
  };
}
