// The small model: two envelopes, three reservations, and everything that can be done to them.
// Every state that can be reached in so many steps is visited, and from each of them every step
// is tried on a ledger of its own, brought there by the path that led there first.

import type { Amounts } from '#src/core/amount.js';
import type { ReserveLine } from '#src/core/line.js';
import type { FinalizeRequest } from '#src/stores/ledger/ledger.js';
import type { OpenSubject, Subject } from '../contract/subject.js';
import { Auditor } from './auditor.js';
import { call, type Operation } from './history.js';

const LEASE_MS = 200;
const PREFIX = 'limit:s';

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
  /** The way to each state from which steps were tried, by their names. */
  paths: readonly (readonly string[])[];
}

/** A ledger that was brought somewhere, and the auditor who saw it go there. */
interface Place {
  subject: Subject;
  auditor: Auditor;
}

const LABEL = 'ever';

/** Two envelopes with room for two of the three, called `prefix-a` and `prefix-b`. */
export function smallSteps(prefix: string, leaseMs = LEASE_MS): SmallStep[] {
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
    const request = { id, owner: 'g', lines, leaseMs, stub: '{}' };
    const sent = { floor: usd(1) };
    const event = { id, stub: {} } as unknown as FinalizeRequest['event'];
    return [
      { name: `reserve ${name}`, operation: { verb: 'reserve', request } },
      {
        name: `extend ${name}`,
        operation: { verb: 'extend', request: { id, more: usd(1), leaseMs } },
      },
      {
        name: `beat ${name}`,
        operation: {
          verb: 'beat',
          request: { owner: 'g', leaseMs, beats: [{ id, seen: usd(2), sent }] },
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
    { name: 'wait', waitMs: leaseMs },
  ];
}

/** Visits every state to this depth; rejects with a Violation at the first wrong reply. */
export async function exploreSmallModel(
  open: OpenSubject,
  depth: number,
): Promise<SmallModelReport> {
  const steps = smallSteps(PREFIX);
  const seen = new Set<string>();
  const paths: string[][] = [];
  const report = { states: 0, edges: 0, byDepth: [] as number[], paths };
  const begin = await goTo(open, []);
  seen.add(keyOf(begin));
  await begin.subject.stop();
  let level: (readonly SmallStep[])[] = [[]];
  for (let at = 0; at <= depth; at++) {
    report.byDepth.push(level.length);
    report.states += level.length;
    if (at === depth) break;
    const next: (readonly SmallStep[])[] = [];
    for (const path of level) {
      paths.push(path.map(({ name }) => name));
      await tryAll(open, steps, path, (place, step) => {
        const key = keyOf(place);
        if (!seen.has(key)) next.push([...path, step]);
        seen.add(key);
      });
      report.edges += steps.length;
    }
    level = next;
  }
  return report;
}

/** Goes each of these ways and tries every step at its end, several at once. */
export async function replaySmallModel(
  open: OpenSubject,
  paths: SmallModelReport['paths'],
  options: { leaseMs: number; atOnce: number },
): Promise<{ edges: number }> {
  const steps = smallSteps(PREFIX, options.leaseMs);
  const byName = new Map(steps.map((step) => [step.name, step]));
  const left = [...paths];
  const work = async (): Promise<void> => {
    for (let path = left.pop(); path; path = left.pop()) {
      const way = path.map((name) => byName.get(name)!);
      await tryAll(open, steps, way, () => {});
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, work));
  return { edges: paths.length * steps.length };
}

async function tryAll(
  open: OpenSubject,
  steps: readonly SmallStep[],
  path: readonly SmallStep[],
  arrived: (place: Place, step: SmallStep) => void,
): Promise<void> {
  let place: Place | undefined;
  for (const step of steps) {
    place ??= await goTo(open, path);
    // A step that changed nothing leaves its ledger fit for the next one.
    if (!(await take(place, step))) continue;
    arrived(place, step);
    await place.subject.stop();
    place = undefined;
  }
  await place?.subject.stop();
}

async function goTo(open: OpenSubject, path: readonly SmallStep[]): Promise<Place> {
  const subject = await open();
  const { seq, epoch } = await subject.ledger.state();
  const place = { subject, auditor: new Auditor({ seq, epoch }) };
  for (const step of path) await take(place, step);
  return place;
}

/** Takes the step and audits it; whether it changed anything. */
async function take({ subject, auditor }: Place, step: SmallStep): Promise<boolean> {
  if (!step.operation) {
    await subject.pass(step.waitMs);
    return true;
  }
  const { seq } = auditor.books;
  const reply = await call(subject.ledger, step.operation);
  auditor.replay([{ operation: step.operation, reply }]);
  return auditor.books.seq > seq;
}

/** What of a state matters for what comes: not how long it took, only which leases are over. */
function keyOf({ subject, auditor }: Place): string {
  const { books } = auditor;
  const timeMs = subject.ledger.nowMs();
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
