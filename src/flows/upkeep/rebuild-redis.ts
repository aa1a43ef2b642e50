// Brings a lost ledger back from SQL (ledger.md 14). Whoever gets the lock begins a new epoch, in
// which nothing is held or booked; every gateway that lives drains its spool into SQL; then the
// totals are sealed, read and put back, then every gateway's holds, and admission opens. Nothing is
// added beside the totals: an event is either in them, or is booked again later by an adjust; the
// seal keeps a gateway that is slower than a lease from recording what they do not have.

import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import type { UsageEvent } from '../../core/usage-event.js';
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
import { unrecorded } from './unrecorded.js';

/** What only a ledger that can be lost offers. */
export interface LosableLedger extends Ledger {
  witness(epoch: number, seq: number): void;
  beginEpoch(epoch: number): Promise<void>;
  outliveRestart(): Promise<void>;
  answerRoll(): Promise<void>;
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
  // Twice an epoch: the spool is drained, and, once the totals are back, so are the holds.
  const answer = async (epoch: number): Promise<void> => {
    if (answered < drainedIn(epoch)) {
      const sealedEpoch = await usage.sealedEpoch();
      // Too late for this rebuild: what is here is booked again once admission is open.
      if (sealedEpoch < epoch) await drainSpool(options, sealedEpoch);
      answered = drainedIn(epoch);
    }
    if (answered < heldIn(epoch) && (await gateways.furthest()) >= heldIn(epoch)) {
      await restoreHolds(options);
      answered = heldIn(epoch);
    }
    await gateways.seen(owner, host, answered);
  };
  const rebuild = async (): Promise<void> => {
    const before = await ledger.state();
    if (before.open) return;
    const mark = await usage.watermark();
    const epoch = Math.max(before.epoch, mark.epoch) + 1;
    log.warn({ epoch, found: before.epoch }, 'the ledger was lost: it is rebuilt from the rows');
    await usage.raiseWatermark({ epoch, seq: 0 });
    await ledger.beginEpoch(epoch);
    await answer(epoch);
    await othersAnswered(options, drainedIn(epoch));
    const totals = await restoreTotals(options, epoch);
    await restoreHolds(options);
    answered = heldIn(epoch);
    await gateways.seen(owner, host, answered);
    await othersAnswered(options, heldIn(epoch));
    await ledger.openAdmission(epoch);
    log.info({ epoch, totals }, 'the ledger is rebuilt; admission is open');
  };
  const look = async (): Promise<void> => {
    await ledger.outliveRestart();
    const mark = await usage.watermark();
    ledger.witness(mark.epoch, mark.seq);
    const state = await ledger.state();
    if (state.open) {
      await ledger.answerRoll();
      answered = Math.max(answered, heldIn(state.epoch));
      return gateways.seen(owner, host, answered);
    }
    if (state.epoch > 0) await answer(state.epoch);
    else await gateways.seen(owner, host, answered);
    await gateways.exclusively(rebuild);
  };
  return { look, ...repeat({ clock, log, everyMs, name: 'the rebuild' }, look) };
}

const drainedIn = (epoch: number): number => 2 * epoch;
const heldIn = (epoch: number): number => 2 * epoch + 1;

// Whoever has that lease drains it; nothing is written to it while admission is closed.
async function outboxDrained({ outboxDepth, clock }: RebuilderOptions): Promise<void> {
  while ((await outboxDepth()) > 0) await pause(clock);
}

async function restoreTotals(options: RebuilderOptions, epoch: number): Promise<number> {
  const { ledger, usage, rateKeptMs } = options;
  await outboxDrained(options);
  await usage.sealTotals(epoch);
  const totals = await usage.totals(ledger.nowMs() - rateKeptMs);
  for (const { envelope, label, unit, committed, overrun, adjusted } of totals) {
    const counters = { committed: Math.max(0, committed), overrun: Math.max(0, overrun), adjusted };
    await restore(ledger, { what: 'counters', envelope, label, unit, ...counters });
  }
  return totals.length;
}

// A call that was reaped before the ledger was lost has its row, and is no hold any more although
// its gateway does not know that yet.
async function restoreHolds({ ledger, usage, holds }: RebuilderOptions): Promise<void> {
  for (const hold of holds()) {
    const rows = await usage.rows(hold.id);
    if (rows.length === 0) await restore(ledger, { what: 'hold', hold });
  }
}

// A gateway that does not answer for a lease is gone, and so are its holds: its spool is booked
// again by whoever opens it.
async function othersAnswered(options: RebuilderOptions, step: number): Promise<void> {
  const { gateways, clock, owner, leaseMs } = options;
  const untilMs = clock.elapsedMs() + leaseMs;
  while (clock.elapsedMs() < untilMs) {
    const missing = await gateways.missing(step, leaseMs);
    if (missing.every((id) => id === owner)) return;
    await pause(clock);
  }
}

// The outbox comes first: beside rows that say in one what it books in two, it would double them.
async function drainSpool(options: RebuilderOptions, sealedEpoch: number): Promise<void> {
  const { spool, recorder, usage } = options;
  await outboxDrained(options);
  for (;;) {
    const { events } = await spool.next(BATCH_MAX);
    if (events.length === 0) return;
    // What was booked as a whole has no other row, unless a reap met a ledger that had lost it; of
    // the rest a reap may have written one.
    const isPlain = ({ kind, unbooked }: UsageEvent): boolean => kind === 'base' && !unbooked;
    const { duplicates } = await recorder.record(events.filter(isPlain), sealedEpoch);
    for (const event of duplicates > 0 ? events : events.filter((one) => !isPlain(one))) {
      // The drain of the outbox goes on meanwhile and may be first with the row of a reap.
      for (;;) {
        const missing = unrecorded(event, await usage.rows(event.id));
        if (!missing) break;
        const { inserted, setAside } = await recorder.record([missing], sealedEpoch);
        if (inserted + setAside > 0) break;
      }
    }
    spool.drained({ events });
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
