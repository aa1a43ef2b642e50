// Rounds: every variant in turn, the order turned round each time, so that a machine that grows
// slower or faster in the meantime favours nobody; and the medians of them as a table.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench, Row } from '../scenario.js';
import { median } from './processes.js';
import { settled } from './settled.js';
import type { Side } from './sides.js';

const AWAKE_MS = 300;

/** The others stand still: what a gateway does while idle is not taken from whom is measured. */
async function alone<T extends { side?: Side }>(variants: readonly T[], one: T): Promise<void> {
  if (one.side === undefined) return;
  for (const { side } of variants) if (side !== one.side) side?.pause(true);
  one.side.pause(false);
  // Its timers have to catch up.
  await sleep(AWAKE_MS);
  await settled(one.side);
}

/** Measures each variant once a round; three rounds, or one where it is to be quick. */
export async function rowsInTurn<T extends { name: string; side?: Side }>(
  { told, quick }: Bench,
  what: string,
  variants: readonly T[],
  measure: (variant: T) => Promise<Row>,
): Promise<Row[]> {
  const rounds = quick ? 1 : 3;
  const rows: Row[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? variants : [...variants].reverse();
    for (const variant of order) {
      told(`${what}, round ${round + 1} of ${rounds}: ${variant.name}`);
      await alone(variants, variant);
      rows.push({ round: round + 1, ...(await measure(variant)) });
    }
  }
  return rows;
}

/** A line a variant, in the order of the first round: the median of each column. */
export function tableOf(rows: readonly Row[]): Row[] {
  const variants = [...new Set(rows.map(({ variant }) => variant))];
  return variants.map((variant) => {
    const own = rows.filter((row) => row.variant === variant);
    const columns = Object.keys(own[0] ?? {}).filter((name) => name !== 'round');
    return Object.fromEntries(columns.map((name) => [name, middle(own.map((row) => row[name]))]));
  });
}

function middle(values: readonly (string | number | undefined)[]): string | number {
  const numbers = values.filter((value) => typeof value === 'number');
  return numbers.length === 0 ? (values[0] ?? '-') : median(numbers);
}
