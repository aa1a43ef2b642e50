// What the reads promise, and the opening and closing of admission.

import assert from 'node:assert/strict';
import type { LedgerContract } from '../ledger-contract.js';
import {
  amounts,
  counters,
  ending,
  hold,
  LABEL,
  line,
  newEnvelope,
  request,
  SHORT_LEASE_MS,
  STUB,
  sentHold,
  usd,
} from '../subject.js';

const leaseMs = SHORT_LEASE_MS;

export const reads: LedgerContract['reads'] = {
  nowMs: [
    {
      name: 'follows ledger time',
      async check({ ledger, pass }) {
        await ledger.reserve(request([]));
        const before = ledger.nowMs();
        await pass(50);
        assert.ok(ledger.nowMs() >= before + 50);
      },
    },
  ],
  balances: [
    {
      name: 'answers in the order asked, zeros for what was never touched',
      async check({ ledger }) {
        const [a, b] = [newEnvelope(), newEnvelope()];
        await hold(ledger, [line(a)]);
        const key = { label: LABEL, unit: 'nano_usd' } as const;
        const balances = await ledger.balances([
          { ...key, envelope: b },
          { ...key, envelope: a },
          { ...key, envelope: a, label: '2027-01' },
        ]);
        assert.deepEqual(
          balances.map(({ envelope, label, limit, reserved }) => [
            envelope,
            label,
            limit,
            reserved,
          ]),
          [
            [b, LABEL, null, 0],
            [a, LABEL, 1000, 100],
            [a, '2027-01', 1000, 0],
          ],
        );
        assert.deepEqual(await ledger.balances([]), []);
      },
    },
  ],
  holds: [
    {
      name: 'lists open reservations whole, oldest lease first, page by page',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const lines = [line(a)];
        const late = await hold(ledger, lines, { leaseMs: 90_000 });
        const early = await sentHold(ledger, lines, usd(7), 30_000);
        const between = await hold(ledger, lines, { leaseMs: 60_000 });
        const ended = await hold(ledger, lines);
        await ledger.release(ended);
        await pass(1);
        const page = await ledger.holds({ offset: 0, limit: 2 });
        assert.equal(page.total, 3);
        assert.deepEqual(
          page.holds.map(({ id }) => id),
          [early, between],
        );
        const rest = await ledger.holds({ offset: 2, limit: 2 });
        assert.deepEqual(
          rest.holds.map(({ id }) => id),
          [late],
        );
        const { leaseEndsAtMs, ...open } = page.holds[0]!;
        assert.deepEqual(open, {
          id: early,
          owner: 'gateway-1',
          phase: 'sent',
          lines,
          floor: usd(7),
          seen: amounts(),
          stub: JSON.stringify(STUB),
        });
        assert.ok(leaseEndsAtMs > (await ledger.state()).timeMs);
      },
    },
  ],
  overdue: [
    {
      name: 'lists ids whose lease has ended and no others, at most as many as asked',
      async check({ ledger, pass }) {
        const a = newEnvelope();
        const due: string[] = [];
        for (let i = 0; i < 5; i++) due.push(await hold(ledger, [line(a)], { leaseMs }));
        await hold(ledger, [line(a)]);
        assert.deepEqual(await ledger.overdue(10), []);
        await pass(leaseMs + 1);
        assert.deepEqual((await ledger.overdue(10)).sort(), [...due].sort());
        const some = await ledger.overdue(2);
        assert.equal(some.length, 2);
        assert.equal(new Set(some).size, 2);
        assert.ok(some.every((id) => due.includes(id)));
      },
    },
  ],
  closeAdmission: [
    {
      name: 'closes, and says so; closing twice is closing once',
      async check({ ledger }) {
        assert.equal((await ledger.state()).open, true);
        await ledger.closeAdmission();
        await ledger.closeAdmission();
        assert.equal((await ledger.state()).open, false);
      },
    },
  ],
  openAdmission: [
    {
      name: 'opens in the new epoch, which every reply then tells',
      async check({ ledger }) {
        const { epoch } = await ledger.state();
        await ledger.closeAdmission();
        await ledger.openAdmission(epoch + 3);
        const state = await ledger.state();
        assert.deepEqual([state.open, state.epoch], [true, epoch + 3]);
        assert.equal((await ledger.reserve(request([]))).epoch, epoch + 3);
      },
    },
    {
      name: 'never opens in an epoch that is past',
      async check({ ledger }) {
        const { epoch } = await ledger.state();
        await ledger.closeAdmission();
        await ledger.openAdmission(epoch + 3);
        await ledger.closeAdmission();
        await assert.rejects(async () => ledger.openAdmission(epoch + 2));
        const state = await ledger.state();
        assert.deepEqual([state.open, state.epoch], [false, epoch + 3]);
      },
    },
  ],
  state: [
    {
      name: 'counts what is held, and does not move seq by being read',
      async check({ ledger }) {
        const a = newEnvelope();
        const ids = [await hold(ledger, [line(a)]), await hold(ledger, [line(a)])] as const;
        const first = await ledger.state();
        assert.equal(first.held, 2);
        await counters(ledger, a);
        await ledger.holds({ offset: 0, limit: 5 });
        assert.equal((await ledger.state()).seq, first.seq);
        await ledger.release(ids[0]);
        await ledger.finalize(ending(ids[1], usd(1)));
        const last = await ledger.state();
        assert.deepEqual([last.held, last.seq], [0, first.seq + 2]);
      },
    },
  ],
};
