// What the memory ledger forgets, and what it must not.

import { expect, test } from 'vitest';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { ending, line, newEnvelope, newId, request, usd } from '../../../contract/subject.js';
import { manualClock } from '../../../support/manual-clock.js';

const DAY_MS = 86_400_000;
const LABEL = '2026-11-21';

test('a counter with an open hold is kept, even where the hold has nothing on it', async () => {
  const clock = manualClock(Date.UTC(2026, 10, 21, 9, 41));
  const ledger = createMemoryLedger({ clock });
  const envelope = newEnvelope();
  const key = { envelope, label: LABEL, unit: 'nano_usd' } as const;
  const lineOf = (amount: number) => line(envelope, { label: LABEL, amount });
  const reserve = (id: string, amount: number) => ledger.reserve(request([lineOf(amount)], { id }));
  // It forgets when the next call comes.
  const daysLater = () => {
    clock.advance(3 * DAY_MS);
    return ledger.reserve(request([line(newEnvelope())]));
  };

  const [ended, running] = [newId(), newId()];
  await reserve(ended, 100);
  await ledger.finalize(ending(ended, usd(60)));
  expect(await reserve(running, 0)).toMatchObject({ answer: 'RESERVED' });
  await daysLater();
  expect((await ledger.balances([key]))[0]).toMatchObject({ committed: 60 });
  await ledger.finalize(ending(running, usd(7)));
  expect((await ledger.balances([key]))[0]).toMatchObject({ committed: 67, reserved: 0 });

  await daysLater();
  expect((await ledger.balances([key]))[0]).toMatchObject({ committed: 0 });
  await ledger.close();
});
