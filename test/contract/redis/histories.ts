// Short random histories, played on Redis and on the memory ledger step by step: every reply and,
// at the end, every balance, hold and total must be the same. A failure names its seed.

import assert from 'node:assert/strict';
import type { Amounts } from '#src/core/amount.js';
import type { ReserveLine } from '#src/core/line.js';
import { realClock } from '#src/drivers/clock.js';
import type { Ledger, Reply } from '#src/stores/ledger/ledger.js';
import { createMemoryLedger } from '#src/stores/ledger/memory-ledger.js';
import { correction } from '../guarantees/adjust.js';
import type { RedisGuarantee } from '../redis-subject.js';
import { amounts, ending, line, newEnvelope, newId, request } from '../subject.js';

const STEPS = 150;
const SEEDS = [1, 2, 3];
const LONG_MS = 60_000;
const MOST = Number.MAX_SAFE_INTEGER;

type Random = (below: number) => number;
type Step = (ledger: Ledger) => Promise<Reply<string>>;

/** A small generator of its own, so that a seed means the same everywhere. */
export function randomFrom(seed: number): Random {
  let state = (seed * 0x9e3779b1) | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const UNITS = ['nano_usd', 'tokens', 'requests', 'concurrency'] as const;

class History {
  readonly #random: Random;
  readonly #envelopes = UNITS.flatMap((unit) => [0, 1].map(() => ({ id: newEnvelope(), unit })));
  readonly #ids: string[] = [];
  readonly #requests: Parameters<Ledger['reserve']>[0][] = [];
  #version = 1;

  constructor(random: Random) {
    this.#random = random;
  }

  get lines() {
    return this.#envelopes.flatMap(({ id: envelope, unit }) =>
      ['2026-11', 'ever'].map((label) => ({ envelope, label, unit })),
    );
  }

  next(): Step {
    const random = this.#random;
    const id = this.#ids[random(this.#ids.length || 1)] ?? newId();
    switch (random(12)) {
      case 0:
      case 1:
      case 2:
        return this.#reserve();
      case 3: {
        const again = this.#requests[random(this.#requests.length || 1)];
        return again ? (ledger) => ledger.reserve(again) : this.#reserve();
      }
      case 4:
      case 5: {
        const more = this.#amounts(3);
        return (ledger) => ledger.extend({ id, more, leaseMs: LONG_MS });
      }
      case 6: {
        const beats = [0, 1, 2].map(() => ({
          id: this.#ids[random(this.#ids.length || 1)] ?? newId(),
          seen: this.#amounts(2),
          ...(random(2) ? { sent: { floor: this.#amounts(2) } } : {}),
        }));
        return (ledger) => ledger.beat({ owner: 'gateway-1', leaseMs: LONG_MS, beats });
      }
      case 7:
      case 8: {
        const actual = { ...this.#amounts(4), concurrency: 0 };
        return (ledger) => ledger.finalize(ending(id, actual));
      }
      case 9:
        return (ledger) => ledger.release(id);
      case 10: {
        const { id: envelope } = this.#envelopes[random(this.#envelopes.length)]!;
        if (random(2)) {
          const wanted = correction(newId(), { [envelope]: this.#amount(4) - 500 });
          return (ledger) => ledger.adjust(wanted);
        }
        const limit = random(6) ? this.#amount(5) : null;
        const version = this.#version + random(3) - 1;
        this.#version = Math.max(this.#version, version);
        const mode = random(4) ? 'block' : 'warn';
        return (ledger) => ledger.setLimits([{ envelope, limit, mode, version }]);
      }
      default:
        return this.#reap();
    }
  }

  // Some are due and some are not: those that came with a lease of a millisecond.
  #reap(): Step {
    const ids = [0, 1, 2].map(() => this.#ids[this.#random(this.#ids.length || 1)] ?? newId());
    return (ledger) => ledger.reap(ids);
  }

  #reserve(): Step {
    const random = this.#random;
    const lines: ReserveLine[] = [];
    const limit = random(5) ? 900 : random(2) ? null : MOST;
    for (const { id, unit } of this.#envelopes) {
      if (random(3) === 0) continue;
      const label = random(2) ? '2026-11' : 'ever';
      const amount = this.#amount(3);
      const mode = random(5) ? 'block' : 'warn';
      lines.push(line(id, { label, unit, amount, mode, limit, version: this.#version }));
    }
    const leaseMs = random(3) ? LONG_MS : 1;
    const wanted = request(lines, { leaseMs });
    this.#ids.push(wanted.id);
    this.#requests.push(wanted);
    return (ledger) => ledger.reserve(wanted);
  }

  #amount(digits: number): number {
    const random = this.#random;
    if (random(40) === 0) return MOST - random(3);
    return random(3) ? random(10 ** (1 + random(digits))) : 0;
  }

  #amounts(digits: number): Amounts {
    return amounts(Object.fromEntries(UNITS.map((unit) => [unit, this.#amount(digits)])));
  }
}

// Time and custody differ by nature, and so does where seq began.
function comparable(reply: Reply<string>): unknown {
  const differing = new Set(['seq', 'atMs', 'timeMs', 'epoch', 'custodian']);
  return JSON.parse(
    JSON.stringify(reply, (key, value: unknown) => (differing.has(key) ? undefined : value)),
  );
}

function history(seed: number): RedisGuarantee {
  return {
    name: `${STEPS} random steps have the same replies and the same end (seed ${seed})`,
    async check({ ledger, pass }) {
      const memory = createMemoryLedger({ clock: realClock });
      const told = new History(randomFrom(seed));
      let [seqThere, seqHere] = [(await ledger.state()).seq, (await memory.state()).seq];
      for (let i = 0; i < STEPS; i += 1) {
        const step = told.next();
        // What is due must be due on both, whichever is asked first.
        await pass(1);
        const [there, here] = [await step(ledger), await step(memory)];
        const where = `seed ${seed}, step ${i}, ${there.answer}`;
        assert.deepEqual(comparable(there), comparable(here), where);
        assert.equal(there.seq - seqThere, here.seq - seqHere, where);
        [seqThere, seqHere] = [there.seq, here.seq];
      }
      assert.deepEqual(await ledger.balances(told.lines), await memory.balances(told.lines));
      const page = { offset: 0, limit: 1000 };
      const [there, here] = [await ledger.holds(page), await memory.holds(page)];
      const plain = ({ holds }: typeof there) =>
        holds
          .map(({ leaseEndsAtMs: _end, ...open }) => open)
          .sort((a, b) => (a.id < b.id ? -1 : 1));
      assert.deepEqual(plain(there), plain(here));
      assert.equal(there.total, here.total);
    },
  };
}

export const HISTORIES: readonly RedisGuarantee[] = SEEDS.map(history);
