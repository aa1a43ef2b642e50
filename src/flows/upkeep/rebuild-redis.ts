// Brings a lost ledger back from SQL (ledger.md 14). Whoever gets the lock begins a new epoch, in
// which admission is closed; every gateway that lives drains its spool into SQL and puts its holds
// back; only then the totals are read and admission opens. Nothing is added beside the totals: an
// event is either in them, or is booked again later by an adjust.

import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { Gateways } from '../../stores/gateways.js';
import {
  type Ledger,
  LedgerUnavailable,
  type OpenHold,
  type RestoreRequest,
} from '../../stores/ledger/ledger.js';
import type { DrainSource } from '../../stores/spool.js';
import type { Recorder } from '../../stores/usage/recorder.js';
import type { UsageStore } from '../../stores/usage/usage.js';
import { type Repeated, repeat } from './repeat.js';

/** What only a ledger that can be lost offers. */
export interface LosableLedger extends Ledger {
  witness(epoch: number, seq: number): void;
  beginEpoch(epoch: number): Promise<void>;
}

export interface RebuilderOptions {
  ledger: LosableLedger;
  usage: UsageStore;
  gateways: Gateways;
  spool: DrainSource;
  recorder: Recorder;
  /** The outbox holds this many events that are not yet rows. */
  outboxDepth(): Promise<number>;
  /** The holds of this gateway's live calls. */
  holds(): readonly OpenHold[];
  clock: Clock;
  log: Log;
  owner: string;
  host: string;
  leaseMs: number;
  everyMs: number;
  /** Minutes and hours that nothing has moved for so long are over for every call. */
  rateKeptMs: number;
}

export interface Rebuilder extends Repeated {
  /** Looks once whether the ledger is there, and does this gateway's part if it is not. */
  look(): Promise<void>;
}

const BATCH_MAX = 500;
const WAIT_MS = 100;

export function createRebuilder(options: RebuilderOptions): Rebuilder {
  const { ledger, usage, gateways, clock, log, everyMs, owner, host } = options;
  let answered = 0;
  const answer = async (epoch: number): Promise<void> => {
    if (answered >= epoch) return;
    await drainSpool(options);
    for (const hold of options.holds()) await restore(ledger, { what: 'hold', hold });
    answered = epoch;
  };
  const look = async (): Promise<void> => {
    const mark = await usage.watermark();
    ledger.witness(mark.epoch, mark.seq);
    const state = await ledger.state();
    if (state.open) answered = Math.max(answered, state.epoch);
    else {
      if (state.epoch > 0) await answer(state.epoch);
      await gateways.exclusively(() => rebuild(options, answer));
    }
    await gateways.seen(owner, host, answered);
  };
  return { look, ...repeat({ clock, log, everyMs, name: 'the rebuild' }, look) };
}

async function rebuild(
  options: RebuilderOptions,
  answer: (epoch: number) => Promise<void>,
): Promise<void> {
  const { ledger, usage, log } = options;
  const before = await ledger.state();
  if (before.open) return;
  const mark = await usage.watermark();
  const epoch = Math.max(before.epoch, mark.epoch) + 1;
  log.warn({ epoch, found: before.epoch }, 'the ledger was lost: it is rebuilt from the rows');
  await usage.raiseWatermark({ epoch, seq: 0 });
  await ledger.beginEpoch(epoch);
  await answer(epoch);
  await othersAnswered(options, epoch);
  while ((await options.outboxDepth()) > 0) await pause(options.clock);
  const totals = await usage.totals(ledger.nowMs() - options.rateKeptMs);
  for (const { envelope, label, unit, committed, overrun, adjusted } of totals) {
    const counters = { committed: Math.max(0, committed), overrun: Math.max(0, overrun), adjusted };
    await restore(ledger, { what: 'counters', envelope, label, unit, ...counters });
  }
  await ledger.openAdmission(epoch);
  log.info({ epoch, totals: totals.length }, 'the ledger is rebuilt; admission is open');
}

// A gateway that does not answer for a lease is gone, and so are its holds: its spool is booked
// again by whoever opens it.
async function othersAnswered(options: RebuilderOptions, epoch: number): Promise<void> {
  const { gateways, clock, owner, leaseMs } = options;
  const untilMs = clock.elapsedMs() + leaseMs;
  while (clock.elapsedMs() < untilMs) {
    const missing = await gateways.missing(epoch, leaseMs);
    if (missing.every((id) => id === owner)) return;
    await pause(clock);
  }
}

async function drainSpool({ spool, recorder }: RebuilderOptions): Promise<void> {
  for (;;) {
    const batch = await spool.next(BATCH_MAX);
    if (batch.events.length === 0) return;
    await recorder.record(batch.events);
    spool.drained(batch);
  }
}

async function restore(ledger: Ledger, request: RestoreRequest): Promise<void> {
  const { answer } = await ledger.restore(request);
  if (answer !== 'RESTORED' && answer !== 'EXISTS') throw new LedgerUnavailable(answer);
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.after(WAIT_MS, resolve);
  });
}
