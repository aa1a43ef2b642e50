// What must be true of the rows after gateways were killed, held against what the clients got and
// what the upstream wrote and when. Pure: it looks at logs and rows only, and shares no code with
// the product.

import type { UpstreamEvent } from '../support/scripted-upstream.js';
import { type Asked, nanoUsd } from './calls.js';
import { awakeSince, type Stall } from './pulse.js';

export interface Row {
  reservationId: string;
  kind: string;
  requestId: string;
  costNanoUsd: number;
  usageSource: string;
  outcome: string;
  lines: readonly { e: string; l: string; a: number }[];
}

/** What the ledger of a gateway said that had just been started again. */
export interface Spent {
  /** All calls up to this round had ended. */
  round: number;
  envelopes: readonly { envelope: string; label: string; spent: number }[];
}

export interface Evidence {
  asked: readonly Asked[];
  upstream: readonly UpstreamEvent[];
  rows: readonly Row[];
  spent: readonly Spent[];
  /** When the gateway of each round was killed; absent where it ended in order. */
  killedAtMs: ReadonlyMap<number, number>;
  /** By round: when its gateway stood still. */
  stalls: ReadonlyMap<number, readonly Stall[]>;
  beatMs: number;
}

/** One line for each thing that is not as it must be. */
export function violationsOf(evidence: Evidence): string[] {
  const rows = groupBy(evidence.rows, (row) => row.requestId);
  const exchanges = exchangesOf(evidence.upstream);
  return [
    ...evidence.asked.flatMap((asked) =>
      ofCall(asked, rows.get(asked.requestId) ?? [], exchanges.get(asked.requestId), evidence).map(
        (what) => `${asked.requestId} (${asked.kind.model}): ${what}`,
      ),
    ),
    ...ofRows(evidence),
    ...evidence.spent.flatMap((spent) => ofLedger(spent, evidence)),
  ];
}

export interface Exchange {
  /** Bytes of the body that were written until then, in order. */
  written: { atMs: number; bytes: number }[];
}

/** By the request id in the body. */
export function exchangesOf(log: readonly UpstreamEvent[]): Map<string, Exchange> {
  const byNumber = new Map<number, Exchange>();
  const byRequest = new Map<string, Exchange>();
  for (const event of log) {
    if (event.event === 'received') {
      const exchange: Exchange = { written: [] };
      const { user } = JSON.parse(event.request.body) as { user: string };
      byNumber.set(event.request.id, exchange);
      byRequest.set(user, exchange);
    } else if (event.event === 'written') {
      byNumber.get(event.id)?.written.push({ atMs: event.atMs, bytes: event.bytesWritten });
    }
  }
  return byRequest;
}

/** Words that the upstream had written by then. */
export function wordsWritten({ kind }: Asked, exchange: Exchange, untilMs: number): number {
  const bytes = exchange.written.findLast(({ atMs }) => atMs <= untilMs)?.bytes ?? 0;
  return kind.wordEnds.filter((end) => end <= bytes).length;
}

function ofCall(
  asked: Asked,
  rows: readonly Row[],
  exchange: Exchange | undefined,
  evidence: Evidence,
): string[] {
  const wrong: string[] = [];
  const say = (isWrong: boolean, what: string) => {
    if (isWrong) wrong.push(what);
  };
  say(asked.status !== undefined && asked.status !== 200, `answered ${asked.status}`);
  say(asked.bytes > 0 && rows.length !== 1, `its client had bytes, and it has ${rows.length} rows`);
  say(rows.length > 1, `${rows.length} rows`);
  say(rows.length > 0 && !exchange, 'never reached the upstream, and has a row');
  const [row] = rows;
  if (!row || !exchange) return wrong;
  const { costNanoUsd: cost } = row;
  const whole = nanoUsd(asked.kind.words);
  const least = leastNanoUsd(asked, exchange, evidence);
  say(row.kind !== 'base', `its row is ${row.kind}`);
  say(
    asked.reservationId !== undefined && asked.reservationId !== row.reservationId,
    `its row is of ${row.reservationId}, its client was told ${asked.reservationId}`,
  );
  say(cost < least, `cost ${cost}, and ${least} had been written two beats before`);
  say(cost > Math.max(nanoUsd(0), whole), `cost ${cost}, and the whole answer ${whole}`);
  if (!asked.sawLastByte) return wrong;
  say(row.usageSource === 'estimated', 'its client saw the last byte, and its row is estimated');
  say(cost !== whole, `its client saw the last byte of ${whole}, and it cost ${cost}`);
  return wrong;
}

/** What a row of this call must cost at least. */
export function leastNanoUsd(asked: Asked, exchange: Exchange, evidence: Evidence): number {
  return nanoUsd(wordsWritten(asked, exchange, settledMs(asked, evidence)));
}

// Two beats before the end of the call, which is the kill, or its client's leaving: from then on
// the upstream may have written what the gateway never read.
function settledMs({ round, leftAtMs }: Asked, evidence: Evidence): number {
  const endless = Number.POSITIVE_INFINITY;
  const endMs = Math.min(evidence.killedAtMs.get(round) ?? endless, leftAtMs ?? endless);
  return awakeSince(evidence.stalls.get(round) ?? [], endMs, 2 * evidence.beatMs);
}

function ofRows({ asked, rows }: Evidence): string[] {
  const known = new Set(asked.map(({ requestId }) => requestId));
  const strange = rows.filter(({ requestId }) => !known.has(requestId));
  const twice = [...groupBy(rows, (row) => `${row.reservationId} ${row.kind}`)].filter(
    ([, same]) => same.length > 1,
  );
  return [
    ...strange.map(({ requestId }) => `a row of a call that nobody made: ${requestId}`),
    ...twice.map(([key, same]) => `${same.length} rows of ${key}`),
  ];
}

// Exactly the rows of all calls so far, no matter in which life of the gateway they were written.
function ofLedger({ round, envelopes }: Spent, { asked, rows }: Evidence): string[] {
  const rounds = new Map(asked.map((one) => [one.requestId, one.round]));
  const sums = new Map<string, number>();
  for (const row of rows) {
    if ((rounds.get(row.requestId) ?? 0) > round) continue;
    for (const { e, l, a } of row.lines) sums.set(`${e} ${l}`, (sums.get(`${e} ${l}`) ?? 0) + a);
  }
  return envelopes
    .map(({ envelope, label, spent }) => ({ key: `${envelope} ${label}`, spent }))
    .filter(({ key, spent }) => spent !== (sums.get(key) ?? 0))
    .map(
      ({ key, spent }) => `after round ${round}: ${key} is ${spent}, rows ${sums.get(key) ?? 0}`,
    );
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
