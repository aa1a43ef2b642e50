// The close of periods. At the roll-over a period is closed as it stands; for good once nothing of
// it is held any more and the rows say what the ledger says; what is booked after that is noted
// beside it. Closers may run on every gateway at once: each step is done by whoever is first.

import type { Clock } from '../../core/clock.js';
import type { DirectorySnapshot } from '../../core/directory.js';
import type { Log } from '../../core/log.js';
import type { PeriodWindow } from '../../core/period.js';
import { periodWindow } from '../../rules/budget/period-window.js';
import { periodOf, watchedEnvelope } from '../../rules/budget/watched.js';
import type { BudgetPeriods, EndedPeriod, PeriodTotal } from '../../stores/budget-periods.js';
import type { Ledger } from '../../stores/ledger/ledger.js';
import { type Repeated, repeat } from './repeat.js';
import type { Turn } from './turn.js';

export interface CloseOptions {
  periods: BudgetPeriods;
  ledger: Pick<Ledger, 'balances' | 'nowMs'>;
  snapshot(): DirectorySnapshot;
  clock: Clock;
  log: Log;
  everyMs: number;
  /** Where several gateways run it: whose turn it is. */
  turn?: Turn | undefined;
}

const BATCH_MAX = 500;
/** Those of periods that are under way are among them. */
const UNCLOSED_MAX = 20_000;
const WALK_MAX = 400;
/** The ledger forgets a label so long after its end: then only the rows know it. */
const KEPT_MS = 48 * 3_600_000;

export function createCloser(options: CloseOptions): Repeated & { round(): Promise<void> } {
  const { periods, clock, log, everyMs, turn } = options;
  const round = async (): Promise<void> => {
    const totals = await periods.unclosed(UNCLOSED_MAX);
    await periods.closeProvisionally(totals.flatMap((total) => ended(options, total)));
    await closeForGood(options);
    const late = await periods.noteLate();
    if (late > 0) log.warn({ periods: late }, 'something was booked after its period was closed');
  };
  return { round, ...repeat({ clock, log, everyMs, name: 'the close of periods', turn }, round) };
}

async function closeForGood({ periods, ledger, log, snapshot }: CloseOptions): Promise<void> {
  const open = await periods.provisional(BATCH_MAX);
  if (open.length === 0) return;
  const balances = await ledger.balances(open);
  const nowMs = ledger.nowMs();
  for (const [index, { endsAtMs, ...total }] of open.entries()) {
    const balance = balances[index];
    if (!balance || balance.reserved > 0) continue;
    const isForgotten = balance.committed === 0 && nowMs - endsAtMs > KEPT_MS;
    if (balance.committed !== total.committed && !isForgotten) continue;
    const { envelope, label } = total;
    const about = watchedEnvelope(envelope, snapshot(), nowMs);
    const whose = { projectId: about?.projectId ?? null, agentId: about?.agentId ?? null };
    if (await periods.closeForGood(total, whose, nowMs))
      log.info({ envelope, label }, 'a period closed');
  }
}

/** The period of a total, if it is over. */
function ended({ ledger, snapshot }: CloseOptions, total: PeriodTotal): EndedPeriod[] {
  const directory = snapshot();
  const nowMs = ledger.nowMs();
  const when = periodOf(total.envelope, directory);
  const about = watchedEnvelope(total.envelope, directory, nowMs);
  if (!when || !about) return [];
  const now = periodWindow(when.period, when.calendar, nowMs);
  if (now.label === total.label) return [];
  const window = walkBack(total.label, now, (atMs) =>
    periodWindow(when.period, when.calendar, atMs),
  );
  if (!window || window.endsAtMs === undefined) return [];
  const { scope, limit } = about;
  const { startsAtMs, endsAtMs } = window;
  return [{ ...total, scope, limit, startsAtMs, endsAtMs }];
}

function walkBack(
  label: string,
  from: PeriodWindow,
  windowAt: (atMs: number) => PeriodWindow,
): PeriodWindow | undefined {
  let window = from;
  for (let steps = 0; steps < WALK_MAX && window.label !== label; steps += 1) {
    window = windowAt(window.startsAtMs - 1);
  }
  return window.label === label ? window : undefined;
}
