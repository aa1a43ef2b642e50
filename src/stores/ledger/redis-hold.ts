// reserve, extend and beat on Redis: one round trip each. A reserve whose outcome is unknown is
// asked again once by the same id, then voided, so that nothing is ever forwarded on a guess.

import { NOTHING } from '../../core/amount.js';
import type { Redis } from '../../drivers/redis.js';
import { type Argument, Prepared } from '../../drivers/redis-prepared.js';
import { isBeatRequest, isExtendRequest, isReserveRequest } from './check-request.js';
import type { LedgerKeys } from './keys.js';
import type {
  BeatReply,
  BeatRequest,
  Ending,
  ExtendReply,
  ExtendRequest,
  ReserveReply,
  ReserveRequest,
  Shortage,
} from './ledger.js';
import {
  amountArgs,
  amountsText,
  linesText,
  type Pinned,
  type PinnedLines,
  pin,
  pushLimits,
  readLinesText,
} from './redis-lines.js';
import { FENCE, isUnknown, type Raw, type RedisWire, replyOf } from './redis-wire.js';

export interface RedisParts {
  redis: Redis;
  wire: RedisWire;
  keys: LedgerKeys;
  pinned: PinnedLines;
  /** The keys that every reserve and every finalize names first. */
  first: Readonly<Record<'reserve' | 'finalize', Prepared>>;
}

export function firstKeys({ state, limits, leases, labels, outbox }: LedgerKeys) {
  return {
    reserve: new Prepared([state, limits, leases, labels]),
    finalize: new Prepared([state, limits, leases, outbox, labels]),
  };
}

export async function reserve(parts: RedisParts, request: ReserveRequest): Promise<ReserveReply> {
  const { wire, keys, pinned } = parts;
  if (!isReserveRequest(request)) return wire.invalid() as ReserveReply;
  const { id, lines } = request;
  const pins = pin(keys, lines);
  const names = [parts.first.reserve, keys.reservation(id), pins.prepared.counters];
  const args = reserveArgs(request, pins);
  const askedAtMs = wire.elapsedMs();
  let raw: Raw;
  try {
    raw = await wire.sendFenced('reserve', names, args);
  } catch (error) {
    if (!isUnknown(error)) throw error;
    raw = await askAgain(parts, { id, names, args, pins, askedAtMs });
  }
  if (raw.answer === 'RESERVED' || raw.answer === 'ALREADY_RESERVED') pinned.set(id, pins);
  const reply: ReserveReply = replyOf(raw, lines);
  if (raw.answer !== 'BUDGET_EXCEEDED') return reply;
  const needs = lines.map(({ amount }) => amount);
  return { ...reply, shortages: readShortages(raw.detail as string, pins, needs) };
}

function reserveArgs(
  { id, owner, lines, leaseMs, stub }: ReserveRequest,
  pins: Pinned,
): Argument[] {
  const text = linesText(pins, lines);
  const args: Argument[] = [...FENCE, id, owner, `${leaseMs}`, stub, text, pins.units];
  for (const { amount } of lines) args.push(`${amount}`);
  pushLimits(args, pins, lines);
  args.push(pins.prepared.envelopes);
  return args;
}

interface AskedOnce {
  id: string;
  names: readonly Argument[];
  args: Argument[];
  pins: Pinned;
  askedAtMs: number;
}

async function askAgain(parts: RedisParts, asked: AskedOnce): Promise<Raw> {
  const { wire, redis } = parts;
  const { id, names, args, pins } = asked;
  // Our own loop may have been busy while the answer lay in the socket: let it be read first.
  const tookMs = wire.elapsedMs() - asked.askedAtMs;
  if (tookMs > 2 * redis.commandTimeoutMs) await new Promise(setImmediate);
  try {
    const raw = await wire.sendFenced('reserve', names, args, { through: true });
    // It was the lost first try that reserved: to the caller this is its first answer.
    return raw.answer === 'ALREADY_RESERVED' ? { ...raw, answer: 'RESERVED' } : raw;
  } catch (error) {
    voidAhead(parts, id, pins);
    throw error;
  }
}

// Not awaited: the caller is refused either way, and what cannot be voided is reaped at nothing,
// because it was never sent.
function voidAhead({ wire, keys }: RedisParts, id: string, pins: Pinned): void {
  const names = [keys.state, keys.limits, keys.leases, keys.reservation(id), ...pins.counters];
  const args = [id, ...pins.envelopes, ...pins.ends];
  wire.send('release', names, args, { through: true }).catch(() => undefined);
}

export async function extend(parts: RedisParts, request: ExtendRequest): Promise<ExtendReply> {
  const { wire, keys, pinned } = parts;
  if (!isExtendRequest(request)) return wire.invalid() as ExtendReply;
  const { id, more, leaseMs } = request;
  const { raw, pins } = await withLines(parts, id, ({ counters, envelopes }) => {
    const names = [keys.state, keys.limits, keys.leases, keys.reservation(id), ...counters];
    const args = [id, `${leaseMs}`, ...amountArgs(more), ...envelopes];
    return wire.send('extend', names, args);
  });
  const reply: ExtendReply = replyOf(raw, pins.lines);
  if (raw.answer === 'GONE') {
    pinned.delete(id);
    return { ...reply, ending: raw.detail as Ending };
  }
  if (raw.answer !== 'DENIED') return reply;
  const needs = pins.lines.map(({ unit }) => more[unit]);
  return { ...reply, shortages: readShortages(raw.detail as string, pins, needs) };
}

export async function beat(parts: RedisParts, request: BeatRequest): Promise<BeatReply> {
  const { wire, keys, pinned } = parts;
  if (!isBeatRequest(request)) return { ...(wire.invalid() as BeatReply), gone: [] };
  const { beats, leaseMs } = request;
  const names = [keys.state, keys.leases];
  const args = [`${leaseMs}`];
  for (const { id, seen, sent } of beats) {
    names.push(keys.reservation(id));
    args.push(id, seen === NOTHING ? '' : amountsText(seen), sent ? amountsText(sent.floor) : '');
  }
  const raw = await wire.send('beat', names, args);
  const gone: BeatReply['gone'] = [];
  if (raw.answer === 'BEATEN') {
    for (const [i, ending] of (raw.detail as string[]).entries()) {
      if (ending === '') continue;
      const { id } = beats[i]!;
      pinned.delete(id);
      gone.push({ id, ending: ending as Ending });
    }
  }
  return { ...replyOf(raw, []), gone };
}

/** Sends with the lines remembered, and once more with those that the script tells. */
export async function withLines(
  parts: RedisParts,
  id: string,
  send: (pins: Pinned) => Promise<Raw>,
): Promise<{ raw: Raw; pins: Pinned }> {
  const known = parts.pinned.get(id);
  const first = await send(known);
  if (first.answer !== 'KEYS') return { raw: first, pins: known };
  const pins = learnLines(parts, id, first);
  return { raw: await send(pins), pins };
}

/** The lines that a script told with its answer KEYS. */
export function learnLines({ keys, pinned }: RedisParts, id: string, { detail }: Raw): Pinned {
  const pins = pin(keys, readLinesText(detail as string));
  pinned.set(id, pins);
  return pins;
}

// Four numbers a line without room: which line, its limit, committed and reserved.
function readShortages(text: string, pins: Pinned, needs: readonly number[]): Shortage[] {
  const numbers = text.split(' ').map(Number);
  const shortages: Shortage[] = [];
  for (let at = 0; at + 3 < numbers.length; at += 4) {
    const [place, limit, committed, reserved] = numbers.slice(at, at + 4) as Four;
    const { envelope, label, unit } = pins.lines[place - 1]!;
    const needed = needs[place - 1]!;
    shortages.push({ envelope, label, unit, needed, limit, committed, reserved });
  }
  return shortages;
}

type Four = [number, number, number, number];
