// The one contract of both ledgers. Verbs and answers are read off the interface's types, so a
// verb or an answer without a guarantee does not compile. A guarantee is a sentence and a check;
// `redis only` stands where the memory ledger cannot give that answer, and the Redis tests then
// say how they bring it about.

import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'vitest';
import type { Ledger, Reply } from '#src/stores/ledger/ledger.js';
import { adjust } from './guarantees/adjust.js';
import { beat } from './guarantees/beat.js';
import { extend } from './guarantees/extend.js';
import { finalize } from './guarantees/finalize.js';
import { invariants } from './guarantees/invariants.js';
import { reads } from './guarantees/reads.js';
import { reap } from './guarantees/reap.js';
import { release } from './guarantees/release.js';
import { reserve } from './guarantees/reserve.js';
import { restore, setLimits } from './guarantees/settings.js';
import type { OpenSubject, Subject } from './subject.js';

export interface Guarantee {
  name: string;
  check(subject: Subject): Promise<void>;
  /** Set where ledger time must jump by hours, which only an injected clock can. */
  where?: 'memory only';
}

type AnswerOfPromise<P> = P extends Promise<Reply<infer A>> ? A : never;
export type Verb = {
  [K in keyof Ledger]: Ledger[K] extends (...parameters: never[]) => infer P
    ? [AnswerOfPromise<P>] extends [never]
      ? never
      : K
    : never;
}[keyof Ledger];
type ReplyOf<V extends Verb> = Awaited<ReturnType<Ledger[V]>>;
// A verb for many ids has an answer for each of them as well.
type ResultOf<V extends Verb> =
  ReplyOf<V> extends { results: { answer: infer A extends string }[] } ? A : never;
export type Answer<V extends Verb> = ReplyOf<V>['answer'] | ResultOf<V>;
export type Read = Exclude<keyof Ledger, Verb | 'kind' | 'close'>;

export type Guarantees = readonly [Guarantee, ...Guarantee[]];
export type VerbContract<V extends Verb> = Record<Answer<V>, Guarantees | 'redis only'>;

export const INVARIANTS = [
  'CAP',
  'CAP-STATE',
  'ATOMIC',
  'NONNEG',
  'RESERVED',
  'COMMITTED',
  'ONCE',
  'IDEMP',
  'DENY-CLEAN',
  'MONO',
  'PIN',
  'PRECISION',
  'BOUNDED',
] as const;
export type Invariant = (typeof INVARIANTS)[number];

export interface LedgerContract {
  verbs: { [V in Verb]: VerbContract<V> };
  reads: Record<Read, Guarantees>;
  invariants: Record<Invariant, Guarantees>;
}

export const LEDGER_CONTRACT: LedgerContract = {
  verbs: { reserve, extend, beat, finalize, release, reap, adjust, setLimits, restore },
  reads,
  invariants,
};

/**
 * Runs the whole contract on one kind of ledger. `redisOnly` has the guarantees of the answers
 * that are marked so; the memory ledger passes none.
 */
export function describeLedger(
  name: string,
  open: OpenSubject,
  redisOnly: { [V in Verb]?: Partial<Record<Answer<V>, Guarantees>> } = {},
): void {
  describe(`contract of the ${name} ledger`, () => {
    let subject: Subject;
    beforeEach(async () => {
      subject = await open();
    });
    afterEach(async () => {
      try {
        await assertReservedIsTheSumOfHolds(subject.ledger);
      } finally {
        await subject.stop();
      }
    });

    const run = (guarantee: Guarantee): void => {
      if (guarantee.where === 'memory only' && subjectKind(name) !== 'memory') return;
      it(guarantee.name, () => guarantee.check(subject));
    };
    for (const [verb, answers] of Object.entries(LEDGER_CONTRACT.verbs)) {
      for (const [answer, guarantees] of Object.entries(answers)) {
        const own = (redisOnly as Record<string, Record<string, Guarantees>>)[verb]?.[answer];
        const list = guarantees === 'redis only' ? (own ?? []) : [...guarantees, ...(own ?? [])];
        if (list.length > 0) describe(`${verb}: ${answer}`, () => list.forEach(run));
      }
    }
    for (const [read, list] of Object.entries(LEDGER_CONTRACT.reads)) {
      describe(read, () => list.forEach(run));
    }
    for (const [invariant, list] of Object.entries(LEDGER_CONTRACT.invariants)) {
      describe(invariant, () => list.forEach(run));
    }
  });
}

function subjectKind(name: string): Ledger['kind'] {
  return name.startsWith('memory') ? 'memory' : 'redis';
}

/** RESERVED, after every check: what is reserved is what the open holds hold, line by line. */
async function assertReservedIsTheSumOfHolds(ledger: Ledger): Promise<void> {
  const { holds } = await ledger.holds({ offset: 0, limit: 1000 });
  const sums = new Map<string, { envelope: string; label: string; unit: 'tokens'; sum: number }>();
  for (const { lines } of holds) {
    for (const { envelope, label, unit, amount } of lines) {
      const key = `${envelope}\n${label}`;
      const entry = sums.get(key) ?? { envelope, label, unit: unit as 'tokens', sum: 0 };
      entry.sum += amount;
      sums.set(key, entry);
    }
  }
  const wanted = [...sums.values()];
  const balances = await ledger.balances(wanted);
  wanted.forEach(({ envelope, label, sum }, i) => {
    assert.equal(balances[i]?.reserved, sum, `RESERVED of ${envelope} ${label}`);
  });
}
