// What the clients of one gateway do: calls that hold, are sent, grow, are metered and end, in time,
// too late, twice or never, as the product's own flow does each of these, and now and then a limit
// that changes. A call counts as seen to its end by its client once its record is written.

import { setTimeout as wait } from 'node:timers/promises';
import { type Amounts, NOTHING } from '#src/core/amount.js';
import { uuidV7 } from '#src/core/id.js';
import type { ReserveLine } from '#src/core/line.js';
import type { Stub, UsageEvent } from '#src/core/usage-event.js';
import { type FinalizeReply, LedgerUnavailable } from '#src/stores/ledger/ledger.js';
import type { Random } from '../model/random.js';
import type { World } from '../model/world.js';
import { reading, STUB } from '../support/events.js';
import { type Gateway, LEASE_MS } from './gateway.js';

/** A call whose client saw its end. */
export interface Acknowledged {
  /** Who finalized it, and what came of it. */
  how: string;
  lines: readonly ReserveLine[];
  actual: Amounts;
}

export interface Calls {
  random: Random;
  world: World;
  acknowledged: Map<string, Acknowledged>;
  /** Calls that reached a provider, as far as the spool was told. */
  sent: Set<string>;
}

const FATES = { finish: 60, release: 10, vanish: 8, linger: 10, twice: 6 };
const UNSENT = { ...FATES, finish: 0, linger: 0, twice: 0 };
const VOID_TRIES = 100;

/** One call, or one change of a limit. Resolves whatever the ledger says. */
export async function act(gateway: Gateway, calls: Calls): Promise<void> {
  const { random, world } = calls;
  try {
    const what = random.weighted({ call: 90, limits: 8, adjust: 2 });
    if (what === 'call') await oneCall(gateway, calls);
    else if (what === 'limits') await gateway.ledger.setLimits([world.retune()]);
    else await correct(gateway, calls);
  } catch (error) {
    if (!(error instanceof LedgerUnavailable)) throw error;
    // As a client would: not again at once.
    await wait(random.whole(2, 12));
  }
}

async function oneCall(gateway: Gateway, calls: Calls): Promise<void> {
  const { random, world } = calls;
  const { ledger, owner, spool } = gateway;
  const id = uuidV7(ledger.nowMs());
  const lines = world.lines(ledger.nowMs());
  const stub = { ...STUB, requestId: id };
  const request = { id, owner, lines, leaseMs: LEASE_MS, stub: JSON.stringify(stub) };
  const reserved = await ledger.reserve(request).catch(async (error: unknown) => {
    void voidLater(gateway, id);
    throw error;
  });
  for (const balance of reserved.balances) world.seen({ ...balance });
  if (reserved.answer !== 'RESERVED') {
    // A ledger that is lost answers at once; nobody asks it without a pause.
    if (reserved.answer !== 'BUDGET_EXCEEDED') await wait(random.whole(1, 8));
    return;
  }
  const hold = {
    ...{ id, owner, lines, stub: request.stub, phase: 'held' as const },
    ...{ floor: NOTHING, seen: NOTHING, leaseEndsAtMs: reserved.timeMs + LEASE_MS },
  };
  gateway.open(hold);
  try {
    const isSent = random.chance(0.85);
    if (isSent) {
      const floor = { ...world.amounts(), concurrency: 0 };
      await spool.sent({ id, lines, stub: request.stub, floor });
      calls.sent.add(id);
      Object.assign(hold, { phase: 'sent', floor });
      await gateway.marks.tell(id, floor);
    }
    for (let grows = random.whole(0, 2); grows > 0; grows -= 1) await grow(gateway, calls, hold);
    await end(gateway, calls, { id, lines, stub, isSent });
  } finally {
    gateway.end(id);
  }
}

async function grow(
  { ledger }: Gateway,
  { random, world }: Calls,
  hold: { id: string; seen: Amounts; lines: readonly ReserveLine[] },
): Promise<void> {
  if (random.chance(0.3)) await wait(random.whole(1, 80));
  const { nano_usd, tokens } = world.amounts();
  hold.seen = { ...hold.seen, nano_usd: hold.seen.nano_usd + nano_usd };
  const more = { ...NOTHING, nano_usd, tokens };
  const reply = await ledger.extend({ id: hold.id, more, leaseMs: LEASE_MS }).catch(toleratedAway);
  if (reply?.answer !== 'EXTENDED') return;
  hold.lines = hold.lines.map((line) => ({ ...line, amount: line.amount + more[line.unit] }));
}

interface Ending {
  id: string;
  lines: readonly ReserveLine[];
  stub: Stub;
  isSent: boolean;
}

async function end(gateway: Gateway, calls: Calls, call: Ending): Promise<void> {
  const { id, isSent } = call;
  // Nothing that was not sent is ever booked.
  const fate = calls.random.weighted(isSent ? FATES : UNSENT);
  if (fate === 'vanish') return;
  gateway.end(id);
  if (fate === 'release') {
    if (isSent) gateway.spool.released(id);
    await gateway.ledger.release(id);
    return;
  }
  // Its own gateway stood still: the others reap it, and its end comes late.
  if (fate === 'linger') await wait(LEASE_MS + calls.random.whole(0, 250));
  const actual = { ...calls.world.amounts(), concurrency: 0 };
  const event = await finalize(gateway, call, actual);
  if (event) await gateway.spool.ended(event, event.unbooked ? 'fsync' : 'written');
  const { kind, epoch, seq, unbooked } = event ?? {};
  const how = `${gateway.owner} ${fate} ${event ? `${kind} ${epoch} ${seq} ${unbooked}` : 'again'}`;
  calls.acknowledged.set(id, { lines: call.lines, actual, how });
  if (fate === 'twice') await gateway.ledger.finalize(requestOf(call, actual));
}

function requestOf({ id, stub }: Ending, actual: Amounts) {
  const told = reading({ costNanoUsd: actual.nano_usd });
  return { id, actual, event: { id, stub, reading: told } };
}

/** As `flows/call/finalize.ts` has it: a ledger that cannot book leaves the event to the spool. */
async function finalize(
  { ledger }: Gateway,
  call: Ending,
  actual: Amounts,
): Promise<UsageEvent | undefined> {
  const request = requestOf(call, actual);
  const reply: FinalizeReply | undefined = await ledger.finalize(request).catch(toleratedAway);
  if (reply?.answer === 'FINALIZED') return reply.event;
  if (reply?.answer === 'LATE_FINALIZE') return { ...reply.event!, actual };
  if (reply?.answer === 'ALREADY_FINALIZED') return undefined;
  const lines = call.lines.map(({ envelope, label, unit }) => ({
    ...{ e: envelope, l: label, u: unit, a: actual[unit], o: 0 },
  }));
  const rest = { kind: 'base', lines, seq: 0, epoch: 0, atMs: ledger.nowMs() } as const;
  return { ...request.event, ...rest, unbooked: true };
}

// The reserve may still be under way: it must find a tombstone when it comes.
async function voidLater({ ledger }: Gateway, id: string): Promise<void> {
  for (let tries = 0; tries < VOID_TRIES; tries += 1) {
    const reply = await ledger.release(id).catch(toleratedAway);
    if (reply) return;
    await wait(10);
  }
}

async function correct({ ledger }: Gateway, { random, world }: Calls): Promise<void> {
  const id = uuidV7(ledger.nowMs());
  const lines = world
    .lines(ledger.nowMs())
    .filter(() => random.chance(0.5))
    .map(({ envelope, label, unit }) => ({ envelope, label, unit, amount: random.whole(0, 9) }));
  const event = { id, kind: 'adjust', stub: STUB, reason: 'by chance' } as const;
  await ledger.adjust({ id, lines, event });
}

function toleratedAway(error: unknown): undefined {
  if (!(error instanceof LedgerUnavailable)) throw error;
}
