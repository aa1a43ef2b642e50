// While a call lives its lease is renewed once a beat, with the spend seen so far, which the spool
// gets too. A call that the ledger no longer knows is aborted: its money is somebody else's now.

import { type Amounts, UNITS } from '../../core/amount.js';
import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import { Roster, type Seat } from '../../core/roster.js';
import type { Ending, Ledger } from '../../stores/ledger/ledger.js';
import type { Spool } from '../../stores/spool.js';
import { type Repeated, repeat } from './repeat.js';

export interface BeatOptions {
  ledger: Ledger;
  spool: Spool;
  clock: Clock;
  log: Log;
  owner: string;
  beatMs: number;
  leaseMs: number;
}

export interface LiveCall {
  readonly id: string;
  /** The spend metered until now. */
  seen(): Amounts;
  /** The reservation is gone: end the upstream and finalize late. */
  abort(ending: Ending): void;
}

/** Of a call that the beat is for. */
export interface Presence {
  /** Takes it out; false if it has left before. */
  leave(): boolean;
}

export interface Beat extends Repeated {
  add(call: LiveCall): Presence;
  /** Live calls. */
  size(): number;
  /** One beat for all, now. */
  beat(): Promise<void>;
}

const BATCH_MAX = 64;

export function createBeat(options: BeatOptions): Beat {
  const { clock, log, beatMs } = options;
  const calls = new Roster<Live>();
  const beat = async () => {
    const all = calls.all();
    for (let at = 0; at < all.length; at += BATCH_MAX) {
      await beatBatch(options, all.slice(at, at + BATCH_MAX));
    }
  };
  return {
    add: (call) => new Live(call, calls),
    size: () => calls.size,
    beat,
    ...repeat({ clock, log, everyMs: beatMs, name: 'the beat' }, beat),
  };
}

class Live implements Presence {
  /** What the spool was told last. */
  told: Amounts | undefined = undefined;
  readonly #all: Roster<Live>;
  readonly #seat: Seat;

  constructor(
    readonly call: LiveCall,
    all: Roster<Live>,
  ) {
    this.#all = all;
    this.#seat = all.add(this);
  }

  leave(): boolean {
    return this.#all.remove(this.#seat);
  }
}

async function beatBatch(
  { ledger, spool, owner, leaseMs, log }: BeatOptions,
  batch: readonly Live[],
): Promise<void> {
  const beats = batch.map((live) => ({ live, id: live.call.id, seen: live.call.seen() }));
  const news = beats.filter(({ live, seen }) => !isTold(live, seen));
  for (const { live, seen } of news) live.told = seen;
  // Also while the ledger cannot answer: after a crash the spool is all that knows.
  spool.seen(news.map(({ id, seen }) => ({ id, seen })));
  const reply = await ledger.beat({
    owner,
    leaseMs,
    beats: beats.map(({ id, seen }) => ({ id, seen })),
  });
  for (const { id, ending } of reply.gone) {
    const live = batch.find(({ call }) => call.id === id);
    // It may have ended by itself while the beat was under way.
    if (!live?.leave()) continue;
    // Only its own gateway finalizes a call: it is being written down right now.
    if (ending === 'finalized') continue;
    log.warn({ reservationId: id, ending }, 'a running call lost its reservation and is aborted');
    live.call.abort(ending);
  }
}

function isTold({ told }: Live, seen: Amounts): boolean {
  return told === undefined
    ? UNITS.every((unit) => seen[unit] === 0)
    : UNITS.every((unit) => seen[unit] === told[unit]);
}
