// What Redis must answer to what is on the wire, and what it must then have: the prediction of the
// model, behind the fence, in the words of the scripts.

import type { Amounts } from '#src/core/amount.js';
import { accountOf, type Books } from '../model/books.js';
import { type LineKey, type Prediction, predict } from '../model/predict.js';
import type { Asked } from './commands.js';
import type { Dump } from './dump.js';

export interface Spoken {
  asked: Asked;
  answer: string;
  seq: number;
  epoch: number;
  timeMs: number;
  detail: unknown;
  balances: readonly unknown[];
  last: number;
}

export interface Circumstances {
  asked: Asked;
  timeMs: number;
  hasEpoch: boolean;
  damaged: ReadonlySet<string>;
}

/** `spoken` tells of a reap which reservations it could not read. */
export function expectedAnswer(
  books: Books,
  { asked, timeMs, hasEpoch, damaged }: Circumstances,
  spoken?: Spoken,
): Prediction {
  const { operation, epoch, seen, own } = asked;
  if (!operation) return { answer: 'DONE' };
  const isShort = books.seq < seen || lastOf(books, asked) < own;
  const isBehind = !hasEpoch || epoch > books.epoch || isShort;
  if (epoch < (hasEpoch ? books.epoch : 0)) return { answer: 'STALE_EPOCH' };
  const isRebuilding = operation.verb === 'restore' && hasEpoch && !books.isOpen;
  if (isBehind && !isRebuilding) return { answer: 'LEDGER_LOST' };
  if (operation.verb !== 'reap') return predict(books, operation, timeMs);
  const isUnreadable = (id: string, i: number): boolean => {
    const running = books.running.get(id);
    if (!running) return false;
    const told = (spoken?.detail as string[][] | undefined)?.[i]?.[0];
    return asked.places?.[i] !== running.lines.length || (damaged.has(id) && told === 'NOT_DUE');
  };
  const ids = operation.request;
  const unreadable = new Set(ids.filter(isUnreadable));
  const readable = ids.filter((id) => !unreadable.has(id));
  const prediction = predict(books, { verb: 'reap', request: readable }, timeMs);
  if (unreadable.size === 0) return prediction;
  const members = () => {
    const { results } = prediction.members!() as { results: { id: string }[] };
    const byId = new Map(results.map((result) => [result.id, result]));
    return { results: ids.map((id) => byId.get(id) ?? { id, answer: 'NOT_DUE' }) };
  };
  return { ...prediction, members };
}

/** The seq of the last mutation that this gateway made. */
export function lastOf(books: Books, { caller }: Asked): number {
  return books.lasts.get(caller) ?? 0;
}

/** Answers that need no reason in the books: they change nothing, and the caller asks again. */
export function isExcused(
  { asked, answer }: Spoken,
  { isOpen }: Books,
  damaged: ReadonlySet<string>,
): boolean {
  if (answer === 'KEYS') return true;
  // Until it is cleared, a new epoch answers nobody; when that is, nothing on the wire tells.
  if (answer === 'LEDGER_LOST' && !isOpen) return true;
  const request = asked.operation?.request as { id?: string } | string | undefined;
  const id = typeof request === 'string' ? request : request?.id;
  const isDamaged = id !== undefined && damaged.has(id);
  return isDamaged && UNREADABLE.has(answer);
}

const UNREADABLE: ReadonlySet<string> = new Set(['CORRUPT', 'CONFLICT', 'INVALID_INPUT']);

/** What of a reply is not as it must be, now that the books have taken the step. */
export function wrongIn(
  books: Books,
  { members, lines }: Prediction,
  { asked, answer, detail, balances, last }: Spoken,
): string | undefined {
  if (last !== lastOf(books, asked)) return `last ${lastOf(books, asked)}`;
  const told = members?.() ?? {};
  const expected = detailOf(asked, answer, told, lines ?? []);
  if (expected !== undefined && JSON.stringify(detail) !== JSON.stringify(expected)) {
    return `detail ${JSON.stringify(expected)}`;
  }
  if (!lines || balances.length === 0) return undefined;
  const texts = lines.flatMap((line) => balanceTexts(books, line));
  return texts.join(' ') === balances.join(' ') ? undefined : `balances ${texts.join(' ')}`;
}

interface EventLines {
  lines: { a: number; o: number }[];
}

function detailOf(
  { operation }: Asked,
  answer: string,
  told: Record<string, unknown>,
  lines: readonly LineKey[],
): unknown {
  switch (answer) {
    case 'FINALIZED':
    case 'LATE_FINALIZE':
    case 'ADJUSTED':
      return booked(told.event as EventLines).join(' ');
    case 'GONE':
      return told.ending;
    case 'BUDGET_EXCEEDED':
    case 'DENIED':
      return (told.shortages as Shortage[])
        .map(({ envelope, label, limit, committed, reserved }) => {
          const place = lines.findIndex((one) => one.envelope === envelope && one.label === label);
          return [place + 1, limit, committed, reserved].join(' ');
        })
        .join(' ');
    case 'SWEPT':
      return (told.results as Result[]).map(({ answer: each, reclaimed, event }) => {
        if (each !== 'REAPED') return [each];
        const stub = event ? JSON.stringify(event.stub) : '';
        return [each, amountTexts(reclaimed!), event ? booked(event).join(' ') : '', stub];
      });
    case 'BEATEN': {
      if (operation?.verb !== 'beat') return undefined;
      const gone = new Map(
        (told.gone as { id: string; ending: string }[]).map((one) => [one.id, one]),
      );
      return operation.request.beats.map(({ id }) => gone.get(id)?.ending ?? '');
    }
    case 'SET': {
      if (operation?.verb !== 'setLimits') return undefined;
      const stale = new Set(told.stale as string[]);
      const places = operation.request.map(({ envelope }, i) => (stale.has(envelope) ? i + 1 : 0));
      return places.filter((place) => place > 0);
    }
    default:
      return undefined;
  }
}

interface Shortage {
  envelope: string;
  label: string;
  limit: number;
  committed: number;
  reserved: number;
}

interface Result {
  answer: string;
  reclaimed?: Amounts;
  event?: EventLines & { stub: unknown };
}

function booked({ lines }: EventLines): string[] {
  return lines.flatMap(({ a, o }) => [String(a + 0), String(o)]);
}

function balanceTexts(books: Books, line: LineKey): string[] {
  const { committed, reserved, overrun } = accountOf(books, line);
  const rule = books.rules.get(line.envelope);
  const limit = rule ? `${rule.version}:${rule.limit ?? ''}:${rule.mode[0]}` : '';
  return [`${committed}`, `${reserved}`, `${overrun}`, limit];
}

function amountTexts({ nano_usd, tokens, requests, concurrency }: Amounts): string {
  return [nano_usd, tokens, requests, concurrency].join(' ');
}

/** Where Redis has something else than the books, counter by counter and hold by hold. */
export function differences(books: Books, { holds, counters }: Dump): string[] {
  const wrong: string[] = [];
  for (const [id, running] of books.running) {
    const hold = holds.get(id);
    const expected = [
      running.phase,
      running.held.join(' '),
      amountTexts(running.floor),
      amountTexts(running.seen),
      running.leaseEndsAtMs,
    ].join('|');
    const { phase, held, floor, seen, leaseEndsAtMs } = hold ?? {};
    const found = [phase, held, floor, seen, leaseEndsAtMs].join('|');
    if (expected !== found) wrong.push(`hold ${id} is ${found} and not ${expected}`);
  }
  for (const id of holds.keys()) if (!books.running.has(id)) wrong.push(`hold ${id} has ended`);
  for (const [key, { committed, reserved, overrun }] of books.accounts) {
    const expected = `${committed} ${reserved} ${overrun}`;
    const found = (counters.get(key) ?? ['0', '0', '0']).join(' ');
    if (expected !== found) wrong.push(`${key} is ${found} and not ${expected}`);
  }
  for (const [key, figures] of counters) {
    const isZero = figures.every((figure) => figure === '0');
    if (!isZero && !books.accounts.has(key)) wrong.push(`${key} is nobody's`);
  }
  return wrong.slice(0, 5);
}
