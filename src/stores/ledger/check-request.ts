// Whether a request may reach the counters at all. What fails here is INVALID_INPUT and has
// changed nothing: an amount that is no whole number from 0 to 2^53-1 never meets a comparison.

import { type Amounts, UNITS } from '../../core/amount.js';
import { compareLines, type ReserveLine } from '../../core/line.js';
import { isAmount } from '../../core/money.js';
import type {
  AdjustRequest,
  BeatRequest,
  ExtendRequest,
  FinalizeRequest,
  LimitSetting,
  OneBeat,
  OpenHold,
  ReserveRequest,
  RestoreRequest,
} from './ledger.js';

export const LINES_MAX = 16;
/** Beats of one request, and ids of one reap. */
export const BATCH_MAX = 64;
export const STUB_BYTES_MAX = 2048;
const NAME_CHARS_MAX = 256;
/** A lease is seconds; a day is a mistake in units. */
const LEASE_MS_MAX = 86_400_000;

export function isReserveRequest(request: ReserveRequest): boolean {
  return (
    isName(request.id) &&
    isName(request.owner) &&
    isLease(request.leaseMs) &&
    isStub(request.stub) &&
    areLines(request.lines)
  );
}

export function isExtendRequest(request: ExtendRequest): boolean {
  return isName(request.id) && isLease(request.leaseMs) && areAmounts(request.more);
}

export function isBeatRequest(request: BeatRequest): boolean {
  return (
    isName(request.owner) &&
    isLease(request.leaseMs) &&
    request.beats.length <= BATCH_MAX &&
    request.beats.every(isBeat)
  );
}

function isBeat({ id, seen, sent }: OneBeat): boolean {
  return isName(id) && areAmounts(seen) && (sent === undefined || areAmounts(sent.floor));
}

export function isFinalizeRequest(request: FinalizeRequest): boolean {
  return isName(request.id) && areAmounts(request.actual) && request.actual.concurrency === 0;
}

export function areReapIds(ids: readonly string[]): boolean {
  return ids.length <= BATCH_MAX && ids.every(isName);
}

export function isAdjustRequest(request: AdjustRequest): boolean {
  const { id, lines } = request;
  if (!isName(id) || lines.length > LINES_MAX) return false;
  const keys = new Set(lines.map((line) => `${line.envelope}\n${line.label}`));
  return (
    keys.size === lines.length &&
    lines.every(
      (line) =>
        isName(line.envelope) &&
        isName(line.label) &&
        UNITS.includes(line.unit) &&
        Number.isSafeInteger(line.amount),
    )
  );
}

export function areLimitSettings(settings: readonly LimitSetting[]): boolean {
  return settings.every((setting) => isName(setting.envelope) && isLimit(setting));
}

export function isRestoreRequest(request: RestoreRequest): boolean {
  if (request.what === 'hold') return isOpenHold(request.hold);
  const { envelope, label, unit, committed, overrun, adjusted } = request;
  return (
    isName(envelope) &&
    isName(label) &&
    UNITS.includes(unit) &&
    isAmount(committed) &&
    isAmount(overrun) &&
    Number.isSafeInteger(adjusted)
  );
}

export function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= NAME_CHARS_MAX;
}

function isOpenHold(hold: OpenHold): boolean {
  return (
    isName(hold.id) &&
    isName(hold.owner) &&
    (hold.phase === 'held' || hold.phase === 'sent') &&
    areLines(hold.lines) &&
    areAmounts(hold.floor) &&
    areAmounts(hold.seen) &&
    Number.isSafeInteger(hold.leaseEndsAtMs) &&
    isStub(hold.stub)
  );
}

// Canonical order is strict, so a duplicate is out of order too.
function areLines(lines: readonly ReserveLine[]): boolean {
  if (lines.length > LINES_MAX) return false;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (!isName(line.envelope) || !isName(line.label)) return false;
    if (!isAmount(line.amount) || !UNITS.includes(line.unit) || !isLimit(line)) return false;
    if (i > 0 && compareLines(lines[i - 1]!, line) >= 0) return false;
  }
  return true;
}

function isLimit(value: Pick<ReserveLine, 'limit' | 'mode' | 'version'>): boolean {
  return (
    (value.limit === null || isAmount(value.limit)) &&
    (value.mode === 'block' || value.mode === 'warn') &&
    isAmount(value.version)
  );
}

function areAmounts(amounts: Amounts): boolean {
  return (
    isAmount(amounts.nano_usd) &&
    isAmount(amounts.tokens) &&
    isAmount(amounts.requests) &&
    isAmount(amounts.concurrency)
  );
}

function isLease(leaseMs: number): boolean {
  return isAmount(leaseMs) && leaseMs > 0 && leaseMs <= LEASE_MS_MAX;
}

// A whole parse would cost more than the reserve; our own callers write it with JSON.stringify.
function isStub(stub: string): boolean {
  if (!stub.startsWith('{') || !stub.endsWith('}')) return false;
  return stub.length * 3 <= STUB_BYTES_MAX || Buffer.byteLength(stub) <= STUB_BYTES_MAX;
}
