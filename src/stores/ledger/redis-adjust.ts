// adjust, setLimits and restore on Redis: what operators and a rebuild may do to counters.

import { areLimitSettings, isAdjustRequest, isRestoreRequest } from './check-request.js';
import type {
  AdjustReply,
  AdjustRequest,
  AnyVerb,
  LimitSetting,
  OpenHold,
  Reply,
  RestoreRequest,
} from './ledger.js';
import { bookedLines, stamp } from './redis-end.js';
import type { RedisParts } from './redis-hold.js';
import { amountArgs, limitText, linesText, pin } from './redis-lines.js';
import { replyOf } from './redis-wire.js';

/** Limits of one script: a full push of many must not hold Redis up. */
const SETTINGS_MAX = 500;

export async function adjust(parts: RedisParts, request: AdjustRequest): Promise<AdjustReply> {
  const { wire, keys } = parts;
  if (!isAdjustRequest(request)) return wire.invalid() as AdjustReply;
  const { id, lines, event } = request;
  const pins = pin(keys, lines);
  const { counters, envelopes, ends, units } = pins;
  const { state, limits, outbox, labels } = keys;
  const names = [state, limits, outbox, labels, keys.adjust(id), ...counters];
  const head = [id, JSON.stringify(event), linesText(pins, lines), units];
  // -0 is an amount to JavaScript only.
  const amounts = lines.map(({ amount }) => `${amount + 0}`);
  const raw = await wire.send('adjust', names, [...head, ...amounts, ...envelopes, ...ends]);
  const reply: AdjustReply = replyOf(raw, lines);
  if (raw.answer !== 'ADJUSTED') return reply;
  const booked = bookedLines(lines, raw.detail as string);
  return { ...reply, event: { ...event, lines: booked, ...stamp(raw) } };
}

export async function setLimits(
  { wire, keys }: RedisParts,
  settings: readonly LimitSetting[],
): Promise<Reply<AnyVerb | 'SET'> & { stale: string[] }> {
  const stale: string[] = [];
  if (!areLimitSettings(settings)) return { ...wire.invalid(), stale };
  let at = 0;
  for (;;) {
    const some = settings.slice(at, at + SETTINGS_MAX);
    const args = [...some.map(({ envelope }) => envelope), ...some.map(limitText)];
    const raw = await wire.send('set_limit', [keys.state, keys.limits], args);
    if (raw.answer === 'SET') {
      for (const place of raw.detail as number[]) stale.push(some[place - 1]!.envelope);
    }
    at += SETTINGS_MAX;
    if (raw.answer !== 'SET' || at >= settings.length) return { ...replyOf(raw, []), stale };
  }
}

export async function restore(
  parts: RedisParts,
  request: RestoreRequest,
): Promise<Reply<'RESTORED' | 'EXISTS' | AnyVerb>> {
  const { wire, keys } = parts;
  if (!isRestoreRequest(request)) return wire.invalid();
  if (request.what === 'hold') return restoreHold(parts, request.hold);
  const { envelope, label, unit, committed, overrun, adjusted } = request;
  const lines = [{ envelope, label, unit }];
  const { counters, ends, units } = pin(keys, lines);
  const { state, limits, leases, labels } = keys;
  const amounts = [`${committed}`, `${overrun}`, `${adjusted + 0}`];
  const args = ['counters', ...amounts, units, ...ends, envelope];
  const raw = await wire.send('restore', [state, limits, leases, labels, ...counters], args);
  return replyOf(raw, lines);
}

async function restoreHold(
  { wire, keys, pinned }: RedisParts,
  hold: OpenHold,
): Promise<Reply<'RESTORED' | 'EXISTS' | AnyVerb>> {
  const { id, owner, phase, lines, floor, seen, leaseEndsAtMs, stub } = hold;
  const pins = pin(keys, lines);
  const { state, limits, leases, labels } = keys;
  const names = [state, limits, leases, labels, keys.reservation(id), ...pins.counters];
  const head = [id, owner, phase, `${leaseEndsAtMs}`, stub, linesText(pins, lines), pins.units];
  const amounts = lines.map(({ amount }) => `${amount}`);
  const per = [...amounts, ...lines.map(limitText), ...pins.envelopes];
  const args = ['hold', ...head, ...amountArgs(floor), ...amountArgs(seen), ...per];
  const raw = await wire.send('restore', names, args);
  if (raw.answer === 'RESTORED') pinned.set(id, pins);
  return replyOf(raw, lines);
}
