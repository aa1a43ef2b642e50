// Drives one ledger through a random history and has every reply audited: 32 clients call at
// once, then all replies of that round are replayed in the order of their seq.

import type { Subject } from '../contract/subject.js';
import { Auditor } from './auditor.js';
import { Generator } from './generator.js';
import { call, type Entry } from './history.js';
import type { Random } from './random.js';

export const CLIENTS = 32;
const COMPARE_EVERY_ROUNDS = 100;
const CLOSED_EVERY_ROUNDS = 60;
const CLOSED_FOR_ROUNDS = 3;
const LIST_EVERY_ROUNDS = 4;

export interface DriveOptions {
  seed: number;
  operations: number;
  /** Whether ledger time is moved by the history, by hours and days too; else it just passes. */
  jumps: boolean;
  progress?: (done: number) => void;
}

export interface DriveReport {
  operations: number;
  /** How often each answer was given, as `verb ANSWER`. */
  counts: ReadonlyMap<string, number>;
  seq: number;
}

/** Resolves when every reply and every counter was as predicted; rejects with a Violation. */
export async function drive(subject: Subject, options: DriveOptions): Promise<DriveReport> {
  const { ledger } = subject;
  const generator = new Generator(options.seed);
  const { seq, epoch } = await ledger.state();
  const auditor = new Auditor({ seq, epoch });
  let done = 0;
  for (let round = 1; done < options.operations; round++) {
    const phase = round % CLOSED_EVERY_ROUNDS;
    if (phase === 0) {
      await ledger.closeAdmission();
      auditor.closed();
    }
    if (phase === CLOSED_FOR_ROUNDS && round > CLOSED_EVERY_ROUNDS) {
      await ledger.openAdmission(auditor.books.epoch + 1);
      const now = await ledger.state();
      auditor.opened(now.seq, now.epoch);
    }
    if (round % LIST_EVERY_ROUNDS === 0) {
      const due = await ledger.overdue(64);
      auditor.listed(due, ledger.nowMs());
      generator.listed(due);
    }
    const nowMs = ledger.nowMs();
    const { isOpen } = auditor.books;
    const operations = Array.from({ length: CLIENTS }, (_, client) =>
      generator.next(client, nowMs, isOpen),
    );
    const entries = await Promise.all(
      operations.map(
        async (operation): Promise<Entry> => ({
          operation,
          reply: await call(ledger, operation),
        }),
      ),
    );
    auditor.replay(entries);
    for (const entry of entries) generator.learn(entry);
    done += entries.length;
    if (options.jumps) await subject.pass(jumpMs(generator.random));
    if (round % COMPARE_EVERY_ROUNDS === 0) {
      await auditor.compare(ledger);
      options.progress?.(done);
    }
  }
  await auditor.compare(ledger);
  return { operations: done, counts: auditor.counts, seq: auditor.books.seq };
}

function jumpMs(random: Random): number {
  const step = random.weighted({
    none: 60,
    short: 30,
    lease: 8,
    minute: 1.5,
    hours: 0.3,
    days: 0.03,
  });
  const longest = {
    none: 5,
    short: 250,
    lease: 15_000,
    minute: 90_000,
    hours: 3 * 3_600_000,
    days: 3 * 86_400_000,
  };
  return random.whole(0, longest[step]);
}
