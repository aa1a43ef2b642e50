// The envelopes of a random history and what clients believe of their limits: of every unit, from
// a minute to for ever, blocking and warning, with limits that keep changing.

import type { Amounts, Unit } from '#src/core/amount.js';
import type { Mode } from '#src/core/envelope.js';
import type { ReserveLine } from '#src/core/line.js';
import type { LimitSetting } from '#src/stores/ledger/ledger.js';
import type { Random } from './random.js';

interface Place {
  envelope: string;
  unit: Unit;
  /** How many characters of the ISO text make its label; 0 is `ever`. */
  labelChars: number;
  /** What is left of a new limit, at the most. */
  roomMax: number;
  isHuge: boolean;
  /** The last three settings: slow clients still send the older ones. */
  settings: LimitSetting[];
  used: number;
}

const ROOM: Record<Unit, number> = {
  nano_usd: 4000,
  tokens: 500,
  requests: 30,
  concurrency: 12,
};

/** 15 digits; some dozens of these together would leave the safe integers. */
const HUGE = 200_000_000_000_000;

export class World {
  readonly places: Place[];
  readonly #random: Random;
  #version = 0;

  constructor(random: Random, prefix: string) {
    this.#random = random;
    const units: Unit[] = ['nano_usd', 'nano_usd', 'tokens', 'nano_usd', 'requests', 'concurrency'];
    const labels = [10, 0, 7, 10, 13, 0, 16, 10];
    this.places = Array.from({ length: 24 }, (_, i) => {
      const unit = units[i % units.length]!;
      const isHuge = i === 0 || i === 7;
      const labelChars = unit === 'concurrency' ? 0 : labels[i % labels.length]!;
      const envelope = `limit:${prefix}-${String(i).padStart(2, '0')}`;
      const roomMax = isHuge ? HUGE * 20 : ROOM[unit];
      return { envelope, unit, labelChars, roomMax, isHuge, settings: [], used: 0 };
    });
    for (const place of this.places) this.retune(place);
  }

  /** A new limit near what is used: sometimes below it, sometimes none, sometimes only a warning. */
  retune(place: Place = this.#random.one(this.places)): LimitSetting {
    const random = this.#random;
    this.#version += 1;
    const room = random.whole(0, place.roomMax);
    const limit = random.chance(0.2)
      ? Math.max(0, place.used - room)
      : Math.min(Number.MAX_SAFE_INTEGER, place.used + room);
    const mode: Mode = random.chance(0.12) ? 'warn' : 'block';
    const none = random.chance(0.06) ? null : random.chance(0.02) ? 0 : limit;
    const setting = { envelope: place.envelope, limit: none, mode, version: this.#version };
    place.settings = [setting, ...place.settings].slice(0, 3);
    return setting;
  }

  /** What a reply showed of an envelope; new limits are made around it. */
  seen({ envelope, committed, reserved }: Record<string, unknown>): void {
    const place = this.places.find((one) => one.envelope === envelope);
    if (place) place.used = Number(committed) + Number(reserved);
  }

  /** Lines of one call, in canonical order, and the amounts that they share by unit. */
  lines(nowMs: number): ReserveLine[] {
    const random = this.#random;
    const isHuge = random.chance(0.03);
    const count = random.chance(0.08) ? 16 : random.whole(0, random.chance(0.3) ? 12 : 4);
    const amounts = isHuge ? hugeAmounts(random) : this.amounts();
    const pool = this.places.filter((place) => place.isHuge === isHuge);
    const chosen = new Set(Array.from({ length: count }, () => random.one(pool)));
    const lines = [...chosen].map((place): ReserveLine => {
      const { limit, mode, version } = random.chance(0.15)
        ? random.one(place.settings)
        : place.settings[0]!;
      const { envelope, unit } = place;
      const label = labelAt(place.labelChars, nowMs);
      return { envelope, label, unit, amount: amounts[unit], limit, mode, version };
    });
    return lines.sort((a, b) => (a.envelope < b.envelope ? -1 : 1));
  }

  /** What a call of ordinary size costs; now and then nothing, or a lot. */
  amounts(): Amounts {
    const random = this.#random;
    const times = random.chance(0.04) ? 0 : random.chance(0.04) ? 12 : 1;
    const nano_usd = times * random.whole(1, 400);
    return { nano_usd, tokens: times * random.whole(1, 50), requests: 1, concurrency: 1 };
  }
}

function hugeAmounts(random: Random): Amounts {
  return { nano_usd: random.whole(1, HUGE), tokens: 1, requests: 1, concurrency: 1 };
}

export function labelAt(chars: number, nowMs: number): string {
  return chars === 0 ? 'ever' : new Date(nowMs).toISOString().slice(0, chars);
}
