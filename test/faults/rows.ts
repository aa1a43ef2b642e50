// ACK, ONCE and SUM: the rows of SQL against what clients were told and against the ledger.

import type { Amounts, Unit } from '#src/core/amount.js';
import type { Database } from '#src/drivers/database.js';
import type { Ledger } from '#src/stores/ledger/ledger.js';
import { assertBooksBalance } from '../support/books.js';
import type { Acknowledged } from './calls.js';

interface Row {
  id: string;
  kind: string;
  lines: { e: string; l: string; u: keyof Amounts; a: number }[];
}

export async function rowsAgainst(
  database: Database,
  ledger: Ledger,
  calls: { acknowledged: ReadonlyMap<string, Acknowledged>; sent: ReadonlySet<string> },
): Promise<{ rows: number; wrong: string[] }> {
  const rows = await database.query<Row>(
    'select reservation_id::text as id, kind, lines from token_usage',
  );
  const wrong: string[] = [];
  await assertBooksBalance(database).catch((error: Error) => {
    wrong.push(`SUM: ${error.message.slice(0, 2_000)}`);
  });
  wrong.push(...(await sumsAgainst(database, ledger)));
  const byId = new Map<string, Row[]>();
  for (const row of rows) byId.set(row.id, [...(byId.get(row.id) ?? []), row]);
  for (const [id, { lines, actual, how }] of calls.acknowledged) {
    const own = byId.get(id) ?? [];
    const bases = own.filter(({ kind }) => kind === 'base').length;
    if (own.length === 0) wrong.push(`ACK: ${id} (${how}) has no row`);
    if (bases > 1 || own.length - bases > 1) wrong.push(`ONCE: ${id} has ${own.length} rows`);
    const sums = new Map<string, number>();
    for (const { e, l, a } of own.flatMap((row) => row.lines)) {
      sums.set(`${e} ${l}`, (sums.get(`${e} ${l}`) ?? 0) + a);
    }
    for (const { envelope, label, unit } of lines) {
      const sum = sums.get(`${envelope} ${label}`);
      if (sum !== actual[unit]) {
        const kinds = own.map((row) => row.kind).join(' ');
        wrong.push(`${id} (${how}; ${kinds}): ${sum} in ${envelope}, not ${actual[unit]}`);
      }
    }
  }
  for (const [id, own] of byId) {
    const isKnown = calls.acknowledged.has(id) || calls.sent.has(id);
    const isCorrection = own.every(({ kind }) => kind === 'adjust');
    if (!isKnown && !isCorrection) wrong.push(`NO-GHOST: ${id} was never sent and has a row`);
  }
  return { rows: rows.length, wrong };
}

type Total = { envelope: string; label: string; unit: Unit; committed: number; overrun: number };

/** What the rows come to against what the ledger says, to the unit. */
async function sumsAgainst(database: Database, ledger: Ledger): Promise<string[]> {
  const totals = await database.query<Total>(
    'select envelope_id as envelope, label, unit, committed, overrun from envelope_totals',
  );
  const balances = await ledger.balances(totals);
  return totals.flatMap(({ envelope, label, committed, overrun }, i) => {
    const [rows, held] = [`${committed} ${overrun}`, balances[i]!];
    const has = `${held.committed} ${held.overrun}`;
    return rows === has ? [] : [`SUM: ${envelope} ${label} is ${has}, its rows ${rows}`];
  });
}
