// What a call comes to whose gateway was cut off: at least its prompt, at most what was seen of it,
// the same rule by which the reaper charges.

import { maxAmounts } from '../../core/amount.js';
import { parseOwnJson } from '../../core/json.js';
import type { Stub, UsageEvent } from '../../core/usage-event.js';
import type { Orphan } from '../../stores/spool.js';

export function reapedEvent({ record, seen }: Orphan, epoch: number, atMs: number): UsageEvent {
  const charged = { ...maxAmounts(record.floor, seen), concurrency: 0 };
  return {
    id: record.id,
    kind: 'base',
    lines: record.lines.map(({ envelope, label, unit, amount }) => ({
      e: envelope,
      l: label,
      u: unit,
      a: charged[unit],
      o: Math.max(0, charged[unit] - amount),
    })),
    stub: parseOwnJson<Stub>(record.stub),
    // Nothing of it was booked by a verb of the ledger: it has no number of its own.
    seq: 0,
    epoch,
    atMs,
  };
}
