// Money is an integer number of nano-USD (1 USD = 1e9), held in a JavaScript number that
// never leaves the safe integers: $9.007 M is the most that one counter may hold.
// Text becomes money only here, exactly, by decimal digits and never through a float.

import { assert } from './assert.js';

export type NanoUsd = number;

export const NANO_USD_PER_USD = 1_000_000_000;
export const AMOUNT_MAX = Number.MAX_SAFE_INTEGER;

/** Whether `value` may stand in a counter: a whole number from 0 to 2^53-1. */
export function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/**
 * Reads decimal USD ("1.25", 5, "0.000000001") exactly. Answers undefined for what is no
 * plain non-negative decimal, has more than nine fractional digits, or is over the cap.
 */
export function parseUsd(value: string | number): NanoUsd | undefined {
  const text = typeof value === 'number' ? plainDecimal(value) : value.trim();
  const match = /^(\d{1,16})(?:\.(\d{1,9})0*)?$/.exec(text);
  if (!match) return undefined;
  const nano = BigInt(match[1] ?? '0') * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
  return nano <= BigInt(AMOUNT_MAX) ? Number(nano) : undefined;
}

// A small number prints as 1e-7. What has more than nine places is refused, not rounded.
function plainDecimal(value: number): string {
  const text = String(value);
  if (!text.includes('e')) return text;
  const fixed = value.toFixed(9);
  return Number(fixed) === value ? fixed : text;
}

/** USD with at least six and at most nine fractional digits: `1.204310`, `0.000172125`. */
export function formatUsd(nano: NanoUsd): string {
  // The message of an assertion would be made for every amount that is right.
  if (!Number.isSafeInteger(nano)) assert(false, `not an amount of nano-USD: ${nano}`);
  const absolute = Math.abs(nano);
  const whole = Math.floor(absolute / NANO_USD_PER_USD);
  const fraction = absolute - whole * NANO_USD_PER_USD;
  const micro = Math.floor(fraction / 1000);
  const rest = fraction - micro * 1000;
  const text = `${whole}.${THREE_DIGITS[Math.floor(micro / 1000)]}${THREE_DIGITS[micro % 1000]}`;
  const exact = rest === 0 ? text : text + WITHOUT_ZEROS[rest];
  return nano < 0 ? `-${exact}` : exact;
}

// There are several amounts in every answer, and to write a number costs more than to look it up.
const THREE_DIGITS = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'));
const WITHOUT_ZEROS = THREE_DIGITS.map((digits) => digits.replace(/0+$/, ''));

/** The nine-digit form that `numeric(20,9)` columns take. */
export function toNumericUsd(nano: NanoUsd): string {
  const sign = nano < 0 ? '-' : '';
  const digits = String(Math.abs(nano)).padStart(10, '0');
  return `${sign}${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

/** Adds amounts; asserts that the sum is still one. */
export function add(left: number, right: number): number {
  const sum = left + right;
  assert(Number.isSafeInteger(sum), `amount out of range: ${left} + ${right}`);
  return sum;
}
