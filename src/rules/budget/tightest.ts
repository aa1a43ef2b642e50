// What an answer says of the budgets that its call touched: the tightest one in headers of its
// own, all visible ones in one RFC 9651 list, and rates by the names that clients know.

import { available, type Balance, type Envelope } from '../../core/envelope.js';
import { amountText, instantText, unitName } from './amount-text.js';
import { periodWindow } from './period-window.js';
import { isRate } from './refusal.js';

export interface Standing {
  envelope: Envelope;
  balance: Balance;
  /** When the balance's label ends; undefined if it never does or has ended already. */
  resetsAtMs: number | undefined;
}

/** Visible envelopes with their balances, in the order of the envelopes. */
export function standings(
  envelopes: readonly Envelope[],
  balances: readonly Balance[],
  nowMs: number,
): Standing[] {
  const all: Standing[] = [];
  for (const envelope of envelopes) {
    if (!envelope.visible) continue;
    const balance = balances.find((one) => one.envelope === envelope.id);
    if (!balance) continue;
    const window = periodWindow(envelope.period, envelope.calendar, nowMs);
    const resetsAtMs = window.label === balance.label ? window.endsAtMs : undefined;
    all.push({ envelope, balance, resetsAtMs });
  }
  return all;
}

/** Of budgets in money or tokens, the one of which the smallest share is left. */
export function tightest(all: readonly Standing[]): Standing | undefined {
  return leastLeft(all.filter(({ envelope }) => hasAmounts(envelope) && !isRate(envelope)));
}

export function budgetHeaders(
  envelopes: readonly Envelope[],
  balances: readonly Balance[],
  nowMs: number,
): Record<string, string> {
  const all = standings(envelopes, balances, nowMs);
  const headers: Record<string, string> = {};
  const first = tightest(all);
  if (first) Object.assign(headers, tightestHeaders(first));
  if (all.length > 0) headers['x-purser-budgets'] = all.map(listItem).join(', ');
  for (const unit of ['requests', 'tokens'] as const) {
    const rates = all.filter(({ envelope }) => envelope.unit === unit && isRate(envelope));
    // A rate whose window is over says nothing of what is left now.
    const rate = leastLeft(rates.filter(({ resetsAtMs }) => resetsAtMs !== undefined));
    if (rate) Object.assign(headers, rateHeaders(rate, unit, nowMs));
  }
  return headers;
}

function hasAmounts({ unit }: Envelope): boolean {
  return unit === 'nano_usd' || unit === 'tokens';
}

function leastLeft(all: readonly Standing[]): Standing | undefined {
  let least: Standing | undefined;
  let leastShare = Number.POSITIVE_INFINITY;
  for (const standing of all) {
    const { limit } = standing.balance;
    if (limit === null) continue;
    const share = limit === 0 ? 0 : (available(standing.balance) ?? 0) / limit;
    if (share < leastShare) [least, leastShare] = [standing, share];
  }
  return least;
}

function tightestHeaders({ envelope, balance, resetsAtMs }: Standing): Record<string, string> {
  const { unit, limit, committed, reserved } = balance;
  const headers: Record<string, string> = { 'x-purser-budget-scope': headerText(envelope.scope) };
  const put = (name: string, amount: number | null): void => {
    if (amount === null) return;
    headers[`x-purser-budget-${name}-${unitName(unit)}`] = amountText(unit, amount);
  };
  put('limit', limit);
  put('spent', committed);
  put('reserved', reserved);
  put('remaining', available(balance));
  if (resetsAtMs !== undefined) headers['x-purser-budget-reset'] = instantText(resetsAtMs);
  const warning = passedThreshold(envelope, balance);
  if (warning !== undefined) headers['x-purser-budget-warning'] = String(warning);
  return headers;
}

function passedThreshold({ thresholds }: Envelope, balance: Balance): number | undefined {
  const { limit, committed } = balance;
  if (limit === null) return undefined;
  let highest: number | undefined;
  for (const threshold of thresholds) if (committed >= threshold * limit) highest = threshold;
  return highest;
}

function listItem({ envelope, balance, resetsAtMs }: Standing): string {
  const { unit, limit, committed, reserved } = balance;
  const left = available(balance);
  const amount = (value: number): string => `"${amountText(unit, value)}"`;
  return [
    structuredString(envelope.scope),
    `u="${unitName(unit)}"`,
    ...(limit === null ? [] : [`l=${amount(limit)}`]),
    `s=${amount(committed)}`,
    `h=${amount(reserved)}`,
    ...(left === null ? [] : [`r=${amount(left)}`]),
    ...(resetsAtMs === undefined ? [] : [`t=${Math.floor(resetsAtMs / 1000)}`]),
  ].join(';');
}

function rateHeaders(
  { balance, resetsAtMs }: Standing,
  unit: 'requests' | 'tokens',
  nowMs: number,
): Record<string, string> {
  return {
    [`x-ratelimit-limit-${unit}`]: String(balance.limit),
    [`x-ratelimit-remaining-${unit}`]: String(available(balance)),
    [`x-ratelimit-reset-${unit}`]: durationText(resetsAtMs! - nowMs),
  };
}

/** `6m0s` as OpenAI writes it; `250ms` below a second. */
export function durationText(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.ceil(ms))}ms`;
  const seconds = Math.ceil(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const parts = [hours > 0 ? `${hours}h` : '', seconds >= 60 ? `${minutes}m` : ''];
  return `${parts.join('')}${seconds % 60}s`;
}

/** RFC 9651: a String where it is printable ASCII, else a Display String. */
function structuredString(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`;
  return `%"${percentEncoded(text, /[\x20-\x21\x23-\x24\x26-\x7e]/)}"`;
}

// What would break a header's line never reaches it; other text stays readable.
function headerText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : percentEncoded(text, /[\x20-\x24\x26-\x7e]/);
}

function percentEncoded(text: string, plain: RegExp): string {
  let encoded = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const char = String.fromCharCode(byte);
    encoded += plain.test(char) ? char : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return encoded;
}
