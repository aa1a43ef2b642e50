// Asks providers for the usage of calls that ended without it (a client that left, a stream that
// died) and books what it was off by as a row of its own. A provider that does not answer is asked
// three times, later each time; after that what was counted stands, as its row says.

import type { Clock } from '../../core/clock.js';
import { uuidV7 } from '../../core/id.js';
import type { Log } from '../../core/log.js';
import { inputTokens, outputTokens, type Usage } from '../../core/usage.js';
import type { Reading, UsageEvent } from '../../core/usage-event.js';
import { type Ledger, LedgerUnavailable } from '../../stores/ledger/ledger.js';
import type { Spool } from '../../stores/spool.js';
import type { Unsettled, UnsettledCalls } from '../../stores/unsettled.js';
import type { UsageStore } from '../../stores/usage/usage.js';
import { type Repeated, repeat } from './repeat.js';

/** `unknown`: not yet, or no answer; it may be asked again. `never`: it cannot be asked. */
export type Told = { usage: Usage; costNanoUsd: number } | { why: 'unknown' | 'never' };

export interface SettleOptions {
  calls: UnsettledCalls;
  usage: Pick<UsageStore, 'rows'>;
  ledger: Pick<Ledger, 'adjust' | 'nowMs' | 'kind'>;
  spool: Pick<Spool, 'ended'>;
  /** Asks the provider of the reading for the usage of what it keeps, and prices it. */
  ask(reading: Reading & Required<Pick<Reading, 'kept'>>, startedAtMs: number): Promise<Told>;
  clock: Clock;
  log: Log;
  everyMs: number;
}

const BATCH_MAX = 20;
const TRIES_MAX = 3;
/** Longer than asking may take, so that nobody else takes it up meanwhile. */
const LEASE_MS = 120_000;
/** After the first and the second try. */
const AGAIN_MS = [60_000, 240_000];

export interface Settler extends Repeated {
  /** How many calls were asked for. */
  round(): Promise<number>;
  /** Calls that waited when it last looked: a scrape must not wait for SQL. */
  waiting(): number;
}

export function createSettler(options: SettleOptions): Settler {
  const { calls, clock, log, ledger, everyMs } = options;
  // Booked by the ledger and refused by the spool: they must not be lost.
  const unwritten: UsageEvent[] = [];
  let waiting = 0;
  const round = async (): Promise<number> => {
    await write(options, unwritten);
    const due = await calls.claim(BATCH_MAX, LEASE_MS, () => uuidV7(ledger.nowMs()));
    for (const one of due) await settle(options, one, unwritten);
    waiting = await calls.waiting();
    return due.length;
  };
  const repeated = repeat({ clock, log, everyMs, name: 'asking for usage' }, round);
  return { round, waiting: () => waiting, ...repeated };
}

async function settle(
  options: SettleOptions,
  one: Unsettled,
  unwritten: UsageEvent[],
): Promise<void> {
  const { calls, log } = options;
  const { event, attempts } = one;
  const { id, reading } = event;
  const told = await askOnce(options, event);
  if ('usage' in told && reading) {
    await book(options, one, reading, told, unwritten);
    return calls.settled(id);
  }
  const { why } = told as { why: string };
  if (why === 'unknown' && attempts < TRIES_MAX) {
    return calls.later(id, why, AGAIN_MS[attempts - 1] ?? 0);
  }
  log.warn({ id, provider: reading?.provider, attempts, why }, 'a counted usage stands');
  return calls.settled(id);
}

async function askOnce({ ask }: SettleOptions, { reading, stub }: UsageEvent): Promise<Told> {
  if (!reading?.kept) return { why: 'never' };
  return ask({ ...reading, kept: reading.kept }, stub.startedAtMs);
}

async function book(
  options: SettleOptions,
  { event, adjustId }: Unsettled,
  reading: Reading,
  { usage, costNanoUsd }: { usage: Usage; costNanoUsd: number },
  unwritten: UsageEvent[],
): Promise<void> {
  const { ledger, log } = options;
  const { id, stub, lines } = event;
  // A restart may have come between the row and the end of the asking.
  if ((await options.usage.rows(id)).some(({ kind }) => kind === 'reconciled')) return;
  const off = {
    nano_usd: costNanoUsd - reading.costNanoUsd,
    tokens: tokensOf(usage) - tokensOf(reading.usage),
    requests: 0,
    concurrency: 0,
  };
  const { kept: _kept, saved: _saved, ...rest } = reading;
  const corrected: Reading = {
    ...{ ...rest, usage, costNanoUsd, usageSource: 'reconciled', corrects: reading.usage },
  };
  const reply = await ledger.adjust({
    id: adjustId,
    lines: lines.map(({ e, l, u }) => ({ envelope: e, label: l, unit: u, amount: off[u] })),
    event: { id, kind: 'reconciled', stub, reading: corrected },
  });
  if (reply.answer === 'EXISTS') return;
  if (reply.answer !== 'ADJUSTED') throw new LedgerUnavailable(reply.answer);
  log.info({ id, provider: reading.provider, ...off }, 'a counted usage was corrected');
  if (reply.event) unwritten.push(reply.event);
  await write(options, unwritten);
}

async function write({ ledger, spool }: SettleOptions, unwritten: UsageEvent[]): Promise<void> {
  // With Redis the outbox has it, and the spool is the second custodian.
  const durability = ledger.kind === 'redis' ? 'written' : 'fsync';
  const events = unwritten.splice(0);
  for (const [index, event] of events.entries()) {
    try {
      await spool.ended(event, durability);
    } catch (error) {
      unwritten.push(...events.slice(index));
      throw error;
    }
  }
}

function tokensOf(usage: Usage): number {
  return inputTokens(usage) + outputTokens(usage);
}
