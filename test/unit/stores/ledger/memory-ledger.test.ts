// What only the memory ledger promises: it forgets what nobody needs, and nothing else.

import { describe, expect, it } from 'vitest';
import type { ReserveLine } from '#src/core/line.js';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { Tombstones } from '#src/stores/ledger/memory-tombstones.js';
import { ending, hold, line, request, usd } from '../../../contract/subject.js';
import { manualClock } from '../../../support/manual-clock.js';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 10, 21, 12);

function openLedger() {
  const clock = manualClock(START_MS);
  const ledger = createMemoryLedger({ clock });
  const committed = async (key: Pick<ReserveLine, 'envelope' | 'label' | 'unit'>) => {
    // Any reserve may be the one that sweeps.
    await ledger.reserve(request([]));
    const [balance] = await ledger.balances([key]);
    return balance!.committed;
  };
  return { clock, ledger, committed };
}

describe('counters of past labels', () => {
  it('are dropped 48 hours after they were last touched, and not before', async () => {
    const { clock, ledger, committed } = openLedger();
    const day = line('limit:a', { label: '2026-11-21' });
    const id = await hold(ledger, [day]);
    await ledger.finalize(ending(id, usd(7)));
    clock.advance(47 * HOUR_MS);
    expect(await committed(day)).toBe(7);
    clock.advance(24 * HOUR_MS);
    expect(await committed(day)).toBe(0);
  });

  it('stay as long as a hold is pinned to them', async () => {
    const { clock, ledger, committed } = openLedger();
    const day = line('limit:a', { label: '2026-11-21' });
    const first = await hold(ledger, [day]);
    const pinned = await hold(ledger, [day]);
    await ledger.finalize(ending(first, usd(7)));
    clock.advance(30 * 24 * HOUR_MS);
    expect(await committed(day)).toBe(7);
    await ledger.finalize(ending(pinned, usd(5)));
    clock.advance(47 * HOUR_MS);
    expect(await committed(day)).toBe(12);
    clock.advance(2 * HOUR_MS);
    expect(await committed(day)).toBe(0);
  });

  it('stay while the label is not over, and for ever where it never is', async () => {
    const { clock, ledger, committed } = openLedger();
    const [month, ever] = [
      line('limit:a', { label: '2026-11' }),
      line('limit:b', { label: 'ever' }),
    ];
    const id = await hold(ledger, [month, ever]);
    await ledger.finalize(ending(id, usd(7)));
    clock.advance(9 * 24 * HOUR_MS);
    expect(await committed(month)).toBe(7);
    clock.advance(400 * 24 * HOUR_MS);
    expect(await committed(month)).toBe(0);
    expect(await committed(ever)).toBe(7);
  });

  it('take a limit with them only where a template makes an envelope a value', async () => {
    const { clock, ledger } = openLedger();
    const [fixed, ofMany] = ['limit:0a', 'limit:0a:c-17'];
    const lines = [fixed, ofMany].map((envelope) => line(envelope, { label: '2026-11-21' }));
    const id = await hold(ledger, lines);
    await ledger.release(id);
    clock.advance(72 * HOUR_MS);
    await ledger.reserve(request([]));
    const balances = await ledger.balances(lines);
    expect(balances.map(({ limit }) => limit)).toEqual([1000, null]);
  });
});

describe('overdue', () => {
  it('begins anywhere where there are more than asked, so that reapers share them', async () => {
    const { clock, ledger } = openLedger();
    for (let i = 0; i < 40; i++) await hold(ledger, [line('limit:a', { amount: 1 })]);
    clock.advance(HOUR_MS);
    const firsts = new Set<string>();
    for (let i = 0; i < 200; i++) firsts.add((await ledger.overdue(5))[0]!);
    expect(firsts.size).toBeGreaterThan(20);
  });
});

describe('Tombstones', () => {
  const add = (
    tombstones: Tombstones<{ id: string; expiresAtMs: number }>,
    n: number,
    at: number,
  ) => tombstones.add({ id: `t${n}`, expiresAtMs: at + 1000 }, at);

  it('are found until they expire and not from then on', () => {
    const tombstones = new Tombstones<{ id: string; expiresAtMs: number }>();
    add(tombstones, 1, 0);
    expect(tombstones.get('t1', 999)).toBeDefined();
    expect(tombstones.get('t1', 1000)).toBeUndefined();
  });

  it('are no more than what came within their time, however long it goes on', () => {
    const tombstones = new Tombstones<{ id: string; expiresAtMs: number }>();
    let most = 0;
    for (let i = 0; i < 50_000; i++) {
      add(tombstones, i, i);
      if (i > 5000) most = Math.max(most, tombstones.size);
    }
    // Expired ones wait until the next of their shard is added.
    expect(most).toBeLessThanOrEqual(1002 + 2 * 256);
    expect(tombstones.get('t48000', 48_500)).toBeUndefined();
    expect(tombstones.get('t49999', 49_999)).toBeDefined();
  });

  it('keep the newer one where an id comes again', () => {
    const tombstones = new Tombstones<{ id: string; expiresAtMs: number }>();
    add(tombstones, 101, 0);
    add(tombstones, 101, 900);
    // Ids that end alike are in one shard.
    for (let i = 2; i < 9; i++) add(tombstones, i * 100 + 1, 1500);
    expect(tombstones.get('t101', 1500)).toBeDefined();
  });
});
