// What a guarantee is given: a fresh ledger, a way to let ledger time pass, and short builders.

import { randomUUID } from 'node:crypto';
import { type Amounts, NOTHING } from '#src/core/amount.js';
import type { Balance } from '#src/core/envelope.js';
import type { ReserveLine } from '#src/core/line.js';
import type { Stub } from '#src/core/usage-event.js';
import type { FinalizeRequest, Ledger, ReserveRequest } from '#src/stores/ledger/ledger.js';

/** One ledger under test: empty, admission open, at an epoch of its own choice. */
export interface Subject {
  ledger: Ledger;
  /** Lets at least `ms` of ledger time pass: moves the injected clock, or waits. */
  pass(ms: number): Promise<void>;
  /** Closes the ledger and whatever was started for it. */
  stop(): Promise<void>;
}

export type OpenSubject = () => Promise<Subject>;

/** A lease that no guarantee outlives by accident, and one that `pass` can outlast. */
export const LONG_LEASE_MS = 60_000;
export const SHORT_LEASE_MS = 200;

export const STUB: Stub = {
  attribution: { agentName: 'coder-7', tags: { team: 'a"b\\c', city: 'Zürich' } },
  provider: 'openai',
  model: 'gpt-4o-mini',
  priceVersion: 'p1',
  startedAtMs: 1_795_000_000_000,
  stream: true,
  requestId: 'req-1',
};

export function newId(): string {
  return randomUUID();
}

/** An envelope that no other guarantee has touched. */
export function newEnvelope(prefix = 'limit'): string {
  return `${prefix}:${randomUUID()}`;
}

export const LABEL = '2026-11';

/** A money line of 100 under a limit of 1000 that blocks, unless said otherwise. */
export function line(envelope: string, over: Partial<ReserveLine> = {}): ReserveLine {
  return {
    envelope,
    label: LABEL,
    unit: 'nano_usd',
    amount: 100,
    limit: 1000,
    mode: 'block',
    version: 1,
    ...over,
  };
}

/** A reserve of these lines, put into canonical order. */
export function request(
  lines: readonly ReserveLine[],
  over: Partial<ReserveRequest> = {},
): ReserveRequest {
  return {
    id: newId(),
    owner: 'gateway-1',
    lines: [...lines].sort((a, b) =>
      a.envelope === b.envelope ? (a.label < b.label ? -1 : 1) : a.envelope < b.envelope ? -1 : 1,
    ),
    leaseMs: LONG_LEASE_MS,
    stub: JSON.stringify(STUB),
    ...over,
  };
}

export function amounts(over: Partial<Amounts> = {}): Amounts {
  return { ...NOTHING, ...over };
}

export function usd(nano: number): Amounts {
  return amounts({ nano_usd: nano });
}

/** The end of a call whose cost was `actual`. */
export function ending(id: string, actual: Amounts): FinalizeRequest {
  return { id, actual, event: { id, stub: STUB } };
}

/** The counters of one line, without its limit. */
export async function counters(
  ledger: Ledger,
  envelope: string,
  over: { label?: string; unit?: ReserveLine['unit'] } = {},
): Promise<{ committed: number; reserved: number; overrun: number }> {
  const key = { envelope, label: over.label ?? LABEL, unit: over.unit ?? 'nano_usd' };
  const [balance] = await ledger.balances([key]);
  return figures(balance);
}

export function figures(balance: Balance | undefined): {
  committed: number;
  reserved: number;
  overrun: number;
} {
  if (!balance) throw new Error('no balance came back');
  return { committed: balance.committed, reserved: balance.reserved, overrun: balance.overrun };
}

/** Reserves these lines and insists that it worked; answers the id. */
export async function hold(
  ledger: Ledger,
  lines: readonly ReserveLine[],
  over: Partial<ReserveRequest> = {},
): Promise<string> {
  const wanted = request(lines, over);
  const reply = await ledger.reserve(wanted);
  if (reply.answer !== 'RESERVED') throw new Error(`expected RESERVED, got ${reply.answer}`);
  return wanted.id;
}

/** A hold that has been told to be on the upstream's socket, with the prompt's price as floor. */
export async function sentHold(
  ledger: Ledger,
  lines: readonly ReserveLine[],
  floor: Amounts,
  leaseMs: number,
): Promise<string> {
  const id = await hold(ledger, lines, { leaseMs });
  const beats = [{ id, seen: NOTHING, sent: { floor } }];
  const { answer, gone } = await ledger.beat({ owner: 'gateway-1', leaseMs, beats });
  if (answer !== 'BEATEN' || gone.length > 0) throw new Error(`expected BEATEN, got ${answer}`);
  return id;
}
