// What an answer says of the budgets that its call touched: the tightest one in headers of its
// own, all visible ones in one RFC 9651 list, and rates by the names that clients know.

import { available, type Balance, type Envelope } from '../../core/envelope.js';
import { headerLine } from '../../core/header-text.js';
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
  for (let i = 0; i < envelopes.length; i++) {
    const envelope = envelopes[i]!;
    if (!envelope.visible) continue;
    const { id } = envelope;
    // The ledger answers in the order it was asked, so that this is nearly always its place.
    const here = balances[i];
    const balance = here?.envelope === id ? here : balances.find((one) => one.envelope === id);
    if (!balance) continue;
    const window = periodWindow(envelope.period, envelope.calendar, nowMs);
    const resetsAtMs = window.label === balance.label ? window.endsAtMs : undefined;
    all.push({ envelope, balance, resetsAtMs });
  }
  return all;
}

/** Of budgets in money or tokens, the one of which the smallest share is left. */
export function tightest(all: readonly Standing[]): Standing | undefined {
  return leastLeft(all, isBudget);
}

/** As lines of a head: the tightest budget, the list of all, and the rates. */
export function budgetLines(
  envelopes: readonly Envelope[],
  balances: readonly Balance[],
  nowMs: number,
): string {
  const all = standings(envelopes, balances, nowMs);
  const first = tightest(all);
  let lines = first ? tightestLines(first) : '';
  let list = '';
  for (const standing of all) list += list === '' ? listItem(standing) : `, ${listItem(standing)}`;
  if (list !== '') lines += `x-purser-budgets: ${list}\r\n`;
  for (const unit of RATE_UNITS) {
    // A rate whose window is over says nothing of what is left now.
    const rate = leastLeft(all, IS_RATE[unit]);
    if (rate) lines += rateLines(rate, unit, nowMs);
  }
  return lines;
}

const RATE_UNITS = ['requests', 'tokens'] as const;
const IS_RATE: Record<(typeof RATE_UNITS)[number], (standing: Standing) => boolean> = {
  requests: ({ envelope, resetsAtMs }) =>
    envelope.unit === 'requests' && resetsAtMs !== undefined && isRate(envelope),
  tokens: ({ envelope, resetsAtMs }) =>
    envelope.unit === 'tokens' && resetsAtMs !== undefined && isRate(envelope),
};

function isBudget({ envelope }: Standing): boolean {
  return (envelope.unit === 'nano_usd' || envelope.unit === 'tokens') && !isRate(envelope);
}

function leastLeft(
  all: readonly Standing[],
  counts: (standing: Standing) => boolean,
): Standing | undefined {
  let least: Standing | undefined;
  let leastShare = Number.POSITIVE_INFINITY;
  for (const standing of all) {
    const { limit } = standing.balance;
    if (limit === null || !counts(standing)) continue;
    const share = limit === 0 ? 0 : (available(standing.balance) ?? 0) / limit;
    if (share < leastShare) [least, leastShare] = [standing, share];
  }
  return least;
}

/** What is said of an envelope and does not change with every call: lines, and parts of an item. */
interface Words {
  scopeLine: string;
  /** The scope and unit of its item in the list. */
  item: string;
  limit: number;
  limitLine: string;
  limitItem: string;
  resetsAtMs: number;
  resetLine: string;
  resetItem: string;
}

const known = new WeakMap<Envelope, Words>();

function wordsOf({ envelope, balance, resetsAtMs }: Standing): Words {
  let words = known.get(envelope);
  if (!words) {
    words = newWords(envelope);
    known.set(envelope, words);
  }
  if (balance.limit !== null && balance.limit !== words.limit) {
    const text = amountText(balance.unit, balance.limit);
    words.limit = balance.limit;
    words.limitLine = `${namesOf(balance).limit}${text}\r\n`;
    words.limitItem = `;l="${text}"`;
  }
  if (resetsAtMs !== undefined && resetsAtMs !== words.resetsAtMs) {
    words.resetsAtMs = resetsAtMs;
    words.resetLine = `x-purser-budget-reset: ${instantText(resetsAtMs)}\r\n`;
    words.resetItem = `;t=${Math.floor(resetsAtMs / 1000)}`;
  }
  return words;
}

function newWords({ scope, unit }: Envelope): Words {
  const scopeLine = headerLine('x-purser-budget-scope', headerText(scope));
  const item = `${structuredString(scope)};u="${unitName(unit)}"`;
  const limit = { limit: Number.NaN, limitLine: '', limitItem: '' };
  return { scopeLine, item, ...limit, resetsAtMs: Number.NaN, resetLine: '', resetItem: '' };
}

const AMOUNT_NAMES = {
  usd: amountNames('usd'),
  tokens: amountNames('tokens'),
};

function amountNames(unit: string) {
  const name = (what: string) => `x-purser-budget-${what}-${unit}: `;
  return {
    limit: name('limit'),
    spent: name('spent'),
    reserved: name('reserved'),
    remaining: name('remaining'),
  };
}

function namesOf({ unit }: Balance) {
  return unit === 'nano_usd' ? AMOUNT_NAMES.usd : AMOUNT_NAMES.tokens;
}

function tightestLines(standing: Standing): string {
  const { envelope, balance, resetsAtMs } = standing;
  const { unit, limit, committed, reserved } = balance;
  const words = wordsOf(standing);
  const names = namesOf(balance);
  const left = available(balance);
  let lines = limit === null ? words.scopeLine : words.scopeLine + words.limitLine;
  lines += `${names.spent}${amountText(unit, committed)}\r\n`;
  lines += `${names.reserved}${amountText(unit, reserved)}\r\n`;
  if (left !== null) lines += `${names.remaining}${amountText(unit, left)}\r\n`;
  if (resetsAtMs !== undefined) lines += words.resetLine;
  const warning = passedThreshold(envelope, balance);
  return warning === undefined ? lines : `${lines}x-purser-budget-warning: ${warning}\r\n`;
}

function passedThreshold({ thresholds }: Envelope, balance: Balance): number | undefined {
  const { limit, committed } = balance;
  if (limit === null) return undefined;
  let highest: number | undefined;
  for (const threshold of thresholds) if (committed >= threshold * limit) highest = threshold;
  return highest;
}

function listItem(standing: Standing): string {
  const { balance, resetsAtMs } = standing;
  const { unit, limit, committed, reserved } = balance;
  const { item, limitItem, resetItem } = wordsOf(standing);
  const left = available(balance);
  const limited = limit === null ? item : item + limitItem;
  const amounts = `;s="${amountText(unit, committed)}";h="${amountText(unit, reserved)}"`;
  const rest = left === null ? '' : `;r="${amountText(unit, left)}"`;
  return limited + amounts + (resetsAtMs === undefined ? rest : rest + resetItem);
}

function rateLines(
  { balance, resetsAtMs }: Standing,
  unit: 'requests' | 'tokens',
  nowMs: number,
): string {
  const reset = durationText(resetsAtMs! - nowMs);
  return (
    `x-ratelimit-limit-${unit}: ${balance.limit}\r\n` +
    `x-ratelimit-remaining-${unit}: ${available(balance)}\r\n` +
    `x-ratelimit-reset-${unit}: ${reset}\r\n`
  );
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
