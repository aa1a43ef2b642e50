// The close of periods, by two closers at once: as it stands, for good when nothing is held, and
// what came later beside it.

import { beforeAll, expect } from 'vitest';
import type { DirectorySnapshot, LimitRow } from '#src/core/directory.js';
import { uuidV7 } from '#src/core/id.js';
import { UTC_CALENDAR } from '#src/core/period.js';
import type { Stub } from '#src/core/usage-event.js';
import { createCloser } from '#src/flows/upkeep/close.js';
import { createBudgetPeriods } from '#src/stores/budget-periods.js';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { eachDatabase, warmPglite } from '../support/databases.js';
import { QUIET } from '../support/edge.js';
import { manualClock } from '../support/manual-clock.js';

beforeAll(warmPglite, 120_000);

const LIMIT_ID = '00000000-0000-4000-8000-000000000001';
const ENVELOPE = `limit:${LIMIT_ID}`;
const DAY = '2026-11-21';
const LINE = { envelope: ENVELOPE, label: DAY, unit: 'nano_usd' } as const;
const NOTHING = { tokens: 0, requests: 0, concurrency: 0 };

const LIMIT: LimitRow = {
  id: LIMIT_ID,
  name: 'daily',
  scopeType: 'global',
  scopeId: null,
  scopeAgentType: null,
  scopeKey: null,
  unit: 'nano_usd',
  amount: 1_000,
  period: 'daily',
  calendar: UTC_CALENDAR,
  mode: 'block',
  strict: false,
  visible: true,
  onLedgerDown: 'refuse',
  version: 2,
  thresholds: [],
};

eachDatabase('a period closes once, and says what came later', async ({ database }) => {
  const clock = manualClock(Date.UTC(2026, 10, 21, 23, 59));
  const ledger = createMemoryLedger({ clock });
  const snapshot = (): DirectorySnapshot => ({
    version: 1,
    keysByPublicId: new Map(),
    projects: new Map(),
    agents: new Map(),
    limits: [LIMIT],
    tokenBudgetsByAgent: new Map(),
  });
  const base = { ledger, snapshot, clock, log: QUIET, everyMs: 1_000 };
  const closers = [1, 2].map(() =>
    createCloser({ ...base, periods: createBudgetPeriods(database) }),
  );
  const close = () => Promise.all(closers.map((closer) => closer.round()));
  const ids = [uuidV7(clock.nowMs()), uuidV7(clock.nowMs())];
  const reserve = (id: string) =>
    ledger.reserve({
      id,
      owner: 'gw',
      lines: [{ ...LINE, amount: 400, limit: 1_000, mode: 'block', version: 2 }],
      leaseMs: 600_000,
      stub: '{}',
    });
  // As the recorder moves them.
  const book = async (id: string, nano_usd: number) => {
    const stub = { attribution: {} } as Stub;
    await ledger.finalize({ id, actual: { ...NOTHING, nano_usd }, event: { id, stub } });
    await move(nano_usd);
  };
  const move = (amount: number) =>
    database.query(
      `insert into envelope_totals as t (envelope_id, label, unit, committed)
       values ($1, $2, 'nano_usd', $3)
       on conflict (envelope_id, label) do update set committed = t.committed + $3`,
      [ENVELOPE, DAY, amount],
    );
  const rows = () =>
    database.query(
      `select state, committed, late_amount as late, scope, limit_amount as "limit", ends_at as ends
       from budget_periods`,
    );
  const notices = () => database.query('select type from outbox');

  for (const id of ids) expect((await reserve(id)).answer).toBe('RESERVED');
  await book(ids[0]!, 300);
  await close();
  expect(await rows(), 'the day is not over').toEqual([]);
  clock.advance(120_000);
  await close();
  const ends = new Date('2026-11-22T00:00:00Z');
  const about = { scope: 'daily', limit: 1_000, ends };
  expect(await rows()).toEqual([{ ...about, state: 'provisional', committed: 300, late: 0 }]);
  expect(await notices(), 'something of it is still held').toEqual([]);
  await book(ids[1]!, 350);
  await close();
  expect(await rows()).toEqual([{ ...about, state: 'final', committed: 650, late: 0 }]);
  expect(await notices()).toEqual([{ type: 'budget.period_closed' }]);
  await move(7);
  await close();
  expect(await rows()).toEqual([{ ...about, state: 'final', committed: 650, late: 7 }]);
  expect(await notices()).toHaveLength(1);
});
