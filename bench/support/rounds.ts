// Rounds: every variant in turn, the order turned round each time, so that a machine that grows
// slower or faster in the meantime favours nobody; and the medians of them as a table.

import type { Bench, Row } from '../scenario.js';
import { median } from './processes.js';

/** Measures each variant once a round; three rounds, or one where it is to be quick. */
export async function rowsInTurn<T extends { name: string }>(
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
