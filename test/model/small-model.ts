// The small model: two envelopes, three reservations, and everything that can be done to them.
// Every state that can be reached in so many steps is visited, and from each of them every step
// is tried on a ledger of its own, brought there by the path that led there first.

import type { Amounts } from '#src/core/amount.js';
import type { ReserveLine } from '#src/core/line.js';
import type { FinalizeRequest } from '#src/stores/ledger/ledger.js';
import type { OpenSubject, Subject } from '../contract/subject.js';
import { Auditor } from './auditor.js';
import { type Books, copyBooks } from './books.js';
import { call, type Operation } from './history.js';
import { predict } from './predict.js';

export const LEASE_MS = 200;

/** A step is a call, or letting every lease run out. */
export type SmallStep = { name: string } & (
  | { operation: Operation }
  | { operation?: undefined; waitMs: number }
);

export interface SmallModelReport {
  states: number;
  /** Steps tried, from every state but those of the last depth. */
  edges: number;
  byDepth: number[];
}

interface Node {
  path: readonly SmallStep[];
  books: Books;
  timeMs: number;
}

const LABEL = 'ever';

/** Two envelopes with room for two of the three, called `prefix-a` and `prefix-b`. */
export function smallSteps(prefix: string): SmallStep[] {
  const line = (envelope: string, amount: number): ReserveLine => ({
    ...{ envelope: `${prefix}-${envelope}`, label: LABEL, unit: 'nano_usd', amount },
    ...{ limit: 5, mode: 'block', version: 1 },
  });
  const calls = [
    { id: `${prefix}-1`, lines: [line('a', 2)] },
    { id: `${prefix}-2`, lines: [line('a', 2), line('b', 2)] },
    { id: `${prefix}-3`, lines: [line('b', 4)] },
  ];
  const steps = calls.flatMap(({ id, lines }): SmallStep[] => {
    const name = id.slice(-1);
    const request = { id, owner: 'g', lines, leaseMs: LEASE_MS, stub: '{}' };
    const sent = { floor: usd(1) };
    const event = { id, stub: {} } as unknown as FinalizeRequest['event'];
    return [
      { name: `reserve ${name}`, operation: { verb: 'reserve', request } },
      {
        name: `extend ${name}`,
        operation: { verb: 'extend', request: { id, more: usd(1), sent, leaseMs: LEASE_MS } },
      },
      {
        name: `beat ${name}`,
        operation: {
          verb: 'beat',
          request: { owner: 'g', leaseMs: LEASE_MS, beats: [{ id, seen: usd(2) }] },
        },
      },
      {
        name: `finalize ${name}`,
        operation: { verb: 'finalize', request: { id, actual: usd(3), event } },
      },
      { name: `release ${name}`, operation: { verb: 'release', request: id } },
      { name: `reap ${name}`, operation: { verb: 'reap', request: [id] } },
    ];
  });
  const lower = { envelope: `${prefix}-a`, limit: 3, mode: 'block', version: 2 } as const;
  return [
    ...steps,
    { name: 'lower a', operation: { verb: 'setLimits', request: [lower] } },
    { name: 'wait', waitMs: LEASE_MS },
  ];
}

/** Visits every state to this depth; rejects with a Violation at the first wrong reply. */
export async function exploreSmallModel(
  open: OpenSubject,
  depth: number,
): Promise<SmallModelReport> {
  const steps = smallSteps('limit:s');
  const first = await open();
  const start = await first.ledger.state();
  await first.stop();
  const root: Node = {
    path: [],
    books: new Auditor({ seq: start.seq, epoch: start.epoch }).books,
    timeMs: start.timeMs,
  };
  const seen = new Set([keyOf(root)]);
  const report: SmallModelReport = { states: 1, edges: 0, byDepth: [1] };
  let level = [root];
  for (let at = 1; at <= depth; at++) {
    const next: Node[] = [];
    for (const node of level) {
      // A step that changed nothing leaves its ledger fit for the next one.
      let subject: Subject | undefined;
      for (const step of steps) {
        subject ??= await replay(open, node.path);
        const reached = await tryStep(subject, node, step);
        report.edges += 1;
        if (reached === undefined) continue;
        await subject.stop();
        subject = undefined;
        const key = keyOf(reached);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(reached);
      }
      await subject?.stop();
    }
    report.byDepth.push(next.length);
    report.states += next.length;
    level = next;
  }
  return report;
}

async function replay(open: OpenSubject, path: readonly SmallStep[]): Promise<Subject> {
  const subject = await open();
  for (const step of path) {
    if (step.operation) await call(subject.ledger, step.operation);
    else await subject.pass(step.waitMs);
  }
  return subject;
}

/** Takes the step and audits it; the state that it led to, or undefined where nothing changed. */
async function tryStep(subject: Subject, node: Node, step: SmallStep): Promise<Node | undefined> {
  const path = [...node.path, step];
  if (!step.operation) {
    await subject.pass(step.waitMs);
    return { path, books: node.books, timeMs: node.timeMs + step.waitMs };
  }
  const reply = await call(subject.ledger, step.operation);
  const changes = predict(node.books, step.operation, reply.timeMs).change !== undefined;
  const books = changes ? copyBooks(node.books) : node.books;
  const auditor = new Auditor({ seq: books.seq, epoch: books.epoch }, books);
  auditor.replay([{ operation: step.operation, reply }]);
  return changes ? { path, books, timeMs: node.timeMs } : undefined;
}

/** What of a state matters for what comes: not how long it took, only which leases are over. */
function keyOf({ books, timeMs }: Node): string {
  const accounts = [...books.accounts.values()].map(
    ({ envelope, committed, reserved, overrun }) =>
      `${envelope} ${committed} ${reserved} ${overrun}`,
  );
  const running = [...books.running.values()].map(
    ({ id, held, phase, seen, leaseEndsAtMs }) =>
      `${id} ${held.join()} ${phase} ${seen.nano_usd} ${leaseEndsAtMs > timeMs}`,
  );
  const ended = [...books.ended].map(
    ([id, { how, charged, isLateBooked, shortages }]) =>
      `${id} ${how} ${charged.nano_usd} ${isLateBooked} ${JSON.stringify(shortages)}`,
  );
  const rules = [...books.rules].map(([envelope, { version }]) => `${envelope} ${version}`);
  return [accounts, running, ended, rules].map((part) => part.sort().join(';')).join('|');
}

function usd(nano_usd: number): Amounts {
  return { nano_usd, tokens: 0, requests: 0, concurrency: 0 };
}
