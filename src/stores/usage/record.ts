// One batch of events into rows, in one transaction: what is there already is passed over, and
// totals, mirrors and task sums move by exactly the rows that were inserted.

import type { Unit } from '../../core/amount.js';
import { add } from '../../core/money.js';
import type { PairCharge, UsageEvent } from '../../core/usage-event.js';
import type { Database, DatabaseKind, Queryable } from '../../drivers/database.js';
import { raiseAlerts, type Watch } from './alerts.js';
import type { AttributionBook } from './attribution.js';
import { columnTexts, type Entry, type MadeTexts, unhurried } from './column-texts.js';
import { METRIC_COLUMNS, TURN_COLUMNS, USAGE_COLUMNS } from './columns.js';
import { insert } from './insert.js';
import { keepAnswers } from './kept-answers.js';
import { rowKey, toRow, type UsageRow } from './row.js';
import {
  INSERT_TURNS,
  INSERT_USAGE,
  MIRROR_USED,
  MOVE_PAIRS,
  MOVE_TASKS,
  MOVE_TOTALS,
  RAISE_WATERMARK,
} from './statements.js';

/** The totals were sealed after these events were taken: a rebuild has missed them. */
export class SealedSince extends Error {
  override name = 'SealedSince';
}

export interface Recorded {
  inserted: number;
  /** Events whose row was there already, or that came twice. */
  duplicates: number;
}

interface Moved {
  envelope: string;
  label: string;
  unit: Unit;
  committed: number;
  overrun: number;
  adjusted: number;
  lastSeq: number;
}

/** Rejects as a whole: nothing of the batch is then recorded. */
export async function recordEvents(
  database: Database,
  book: AttributionBook,
  events: readonly UsageEvent[],
): Promise<Recorded> {
  return recordRows(database, book, events.map(toRow));
}

export async function recordRows(
  database: Database,
  book: AttributionBook,
  all: readonly UsageRow[],
  watch?: Watch,
  sealedEpoch?: number,
): Promise<Recorded> {
  const rows = [...new Map(all.map((row) => [row.key, row])).values()];
  if (rows.length === 0) return { inserted: 0, duplicates: 0 };
  const resolved = await book.resolve(database, rows);
  const entries = rows.map((row, i) => ({ row, ids: resolved[i] ?? {} }));
  const made: MadeTexts = new Map();
  const texts = await columnTexts(USAGE_COLUMNS, entries, made);
  const written = { text: INSERT_USAGE, params: texts, count: entries.length };
  const inserted = await database.transaction(async (tx) => {
    const [keys, expected] = await Promise.all([
      insert<{ id: string; kind: string }>(tx, database.kind, written),
      // Nearly always all of them are new: what they move is made while SQL writes them.
      movesOf(entries, made),
    ]);
    const isNew = new Set(keys.map(rowKey));
    const fresh = entries.filter(({ row }) => isNew.has(row.key));
    const moves = fresh.length === entries.length ? expected : await movesOf(fresh);
    await Promise.all([...moved(tx, database.kind, fresh, moves), raise(tx, rows, sealedEpoch)]);
    if (watch && fresh.length > 0) {
      const atMs = Math.max(...fresh.map(({ row }) => row.event.atMs));
      await raiseAlerts(tx, moves.totals, watch, atMs);
    }
    return fresh.length;
  });
  return { inserted, duplicates: all.length - inserted };
}

/** What rows move, apart from what is rare. */
interface Moves {
  turns: string[];
  turnsCount: number;
  totals: Moved[];
}

async function movesOf(entries: readonly Entry[], made?: MadeTexts): Promise<Moves> {
  const calls = lastOfEach(entries.filter(({ row }) => isOfCall(row.event.kind)));
  // Each of them is a call's only row then, and in the same place.
  const isEach = calls.length === entries.length;
  const columns = [...TURN_COLUMNS, ...METRIC_COLUMNS];
  const turns = await columnTexts(columns, calls, isEach ? made : undefined);
  return { turns, turnsCount: calls.length, totals: await totalsOf(entries) };
}

// Sent one after another without waiting: they run in this order on the transaction's connection.
function moved(
  tx: Queryable,
  kind: DatabaseKind,
  fresh: readonly Entry[],
  { turns, turnsCount, totals }: Moves,
): Promise<unknown>[] {
  if (fresh.length === 0) return [];
  const agents = agentsOf(totals);
  const tasks = tasksOf(fresh);
  const pairs = pairsOf(fresh);
  const work: Promise<unknown>[] = keepAnswers(tx, fresh);
  if (turnsCount > 0) {
    work.push(insert(tx, kind, { text: INSERT_TURNS, params: turns, count: turnsCount }));
  }
  if (totals.length > 0) work.push(tx.query(MOVE_TOTALS, totalArrays(totals)));
  if (agents.length > 0) work.push(tx.query(MIRROR_USED, [agents]));
  if (pairs.length > 0) {
    work.push(
      tx.query(MOVE_PAIRS, [
        pairs.map(({ id }) => id),
        pairs.map(({ nano }) => nano),
        pairs.map(({ usdPerUnit }) => usdPerUnit),
        pairs.map(({ amount }) => amount ?? null),
      ]),
    );
  }
  if (tasks.length > 0) {
    work.push(
      tx.query(MOVE_TASKS, [
        tasks.map(({ id }) => id),
        tasks.map(({ tokens }) => tokens),
        tasks.map(({ cost }) => cost),
      ]),
    );
  }
  return work;
}

async function raise(
  tx: Queryable,
  rows: readonly UsageRow[],
  sealedEpoch: number | undefined,
): Promise<void> {
  let [epoch, seq] = [0, 0];
  for (const { event } of rows) {
    if (event.epoch < epoch || (event.epoch === epoch && event.seq <= seq)) continue;
    epoch = event.epoch;
    seq = event.seq;
  }
  const [row] = await tx.query<{ sealed_epoch: number }>(RAISE_WATERMARK, [epoch, seq]);
  if (sealedEpoch === undefined || row?.sealed_epoch === sealedEpoch) return;
  throw new SealedSince(`taken at ${sealedEpoch}, and ${row?.sealed_epoch} is sealed by now`);
}

function isOfCall(kind: UsageEvent['kind']): boolean {
  return kind === 'base' || kind === 'late';
}

// One statement must not meet the same turn twice; a late row knows more than its base.
function lastOfEach(entries: readonly Entry[]): Entry[] {
  const last = new Map<string, Entry>();
  for (const entry of entries) {
    const { id, kind } = entry.row.event;
    if (kind === 'late' || !last.has(id)) last.set(id, entry);
  }
  return [...last.values()];
}

async function totalsOf(entries: readonly Entry[]): Promise<Moved[]> {
  const totals = new Map<string, Moved>();
  await unhurried(entries, ({ row }) => {
    const { lines, kind, reason, seq } = row.event;
    const isAdjust = reason !== undefined || !isOfCall(kind);
    for (const { e, l, u, a, o } of lines) {
      const key = `${e}\n${l}`;
      let moved = totals.get(key);
      if (!moved) {
        moved = {
          envelope: e,
          label: l,
          unit: u,
          committed: 0,
          overrun: 0,
          adjusted: 0,
          lastSeq: 0,
        };
        totals.set(key, moved);
      }
      moved.committed = add(moved.committed, a);
      moved.overrun = add(moved.overrun, o);
      if (isAdjust) moved.adjusted = add(moved.adjusted, a);
      moved.lastSeq = Math.max(moved.lastSeq, seq);
    }
  });
  return [...totals.values()];
}

function totalArrays(totals: readonly Moved[]): unknown[][] {
  return [
    totals.map(({ envelope }) => envelope),
    totals.map(({ label }) => label),
    totals.map(({ unit }) => unit),
    totals.map(({ committed }) => committed),
    totals.map(({ overrun }) => overrun),
    totals.map(({ adjusted }) => adjusted),
    totals.map(({ lastSeq }) => lastSeq),
  ];
}

function agentsOf(totals: readonly Moved[]): string[] {
  return totals.flatMap(({ envelope }) => /^tokens:([0-9a-f-]{36})$/.exec(envelope)?.[1] ?? []);
}

function tasksOf(entries: readonly Entry[]): { id: string; tokens: number; cost: number }[] {
  const tasks = new Map<string, { id: string; tokens: number; cost: number }>();
  for (const { row, ids } of entries) {
    if (!ids.task) continue;
    const task = tasks.get(ids.task) ?? { id: ids.task, tokens: 0, cost: 0 };
    task.tokens = add(task.tokens, add(row.tokensIn, row.tokensOut));
    task.cost = add(task.cost, row.costNanoUsd);
    tasks.set(ids.task, task);
  }
  return [...tasks.values()];
}

// What each row adds to what a person has spent on an occasion, at the rate that the row keeps.
function pairsOf(entries: readonly Entry[]): (PairCharge & { nano: number })[] {
  return entries.flatMap(({ row }) => {
    const { pair } = row.event.stub;
    const line = pair && row.event.lines.find(({ e }) => e === `pair:${pair.id}`);
    return line ? [{ ...pair, nano: line.a }] : [];
  });
}
