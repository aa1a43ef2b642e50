// A batch of rows as the parameters of its statement: one text a column. Made a few rows at a time,
// because what the loop does for rows that can wait, calls wait for.

import { setImmediate } from 'node:timers/promises';
import type { Resolved } from './attribution.js';
import type { Column } from './columns.js';
import type { UsageRow } from './row.js';

export interface Entry {
  row: UsageRow;
  ids: Resolved;
}

/** Some hundred microseconds of the loop. */
const ROWS_AT_ONCE = 16;
/** Stands between the documents of a column: in JSON it is always escaped. */
const SEPARATOR = '\x1f';

/** Calls `each` for every item; whoever waits for the loop has it in between. */
export async function unhurried<Item>(
  items: readonly Item[],
  each: (item: Item) => void,
): Promise<void> {
  for (let i = 0; i < items.length; i += 1) {
    if (i > 0 && i % ROWS_AT_ONCE === 0) await setImmediate();
    each(items[i]!);
  }
}

/** Texts of columns by how their values are found: a later statement has some of them, too. */
export type MadeTexts = Map<Column['value'], string>;

/** What `made` has of the same entries is taken from there, and what it has not is put into it. */
export async function columnTexts(
  columns: readonly Column[],
  entries: readonly Entry[],
  made: MadeTexts = new Map(),
): Promise<string[]> {
  const missing = columns.filter(({ value }) => !made.has(value));
  const parts: string[][] = missing.map(() => []);
  await unhurried(entries, ({ row, ids }) => {
    for (let i = 0; i < missing.length; i += 1) {
      const { type, value } = missing[i]!;
      parts[i]!.push(textOf(type, value(row, ids)));
    }
  });
  missing.forEach(({ type, value }, i) => {
    made.set(value, type === 'jsonb' ? parts[i]!.join(SEPARATOR) : `{${parts[i]!.join(',')}}`);
  });
  return columns.map(({ value }) => made.get(value)!);
}

function textOf(type: Column['type'], value: ReturnType<Column['value']>): string {
  if (value === null || value === undefined) return 'null';
  return type === 'text' ? quoted(String(value)) : String(value);
}

function quoted(text: string): string {
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`;
}
