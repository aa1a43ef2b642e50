// Replays what clients saw, in the order of `seq`, and says where the ledger was wrong. Replies
// that share a `seq` are one mutation and whatever was answered between it and the next one.

import { isDeepStrictEqual } from 'node:util';
import type { Ledger } from '#src/stores/ledger/ledger.js';
import {
  accountOf,
  type Books,
  balanceOf,
  copyBooks,
  newBooks,
  ruleOf,
  TWO_HOURS_MS,
} from './books.js';
import type { AnyReply, Entry } from './history.js';
import { type Prediction, predict } from './predict.js';

export class Violation extends Error {
  override name = 'Violation';
  /** How many operations had been audited before. */
  readonly after: number;

  constructor(message: string, after: number) {
    super(message);
    this.after = after;
  }
}

const PURGE_EVERY = 20_000;
/** The memory ledger forgets labels of the past 48 h after they were last touched. */
const KEPT_MS = 47 * 3_600_000;

export class Auditor {
  readonly books: Books;
  /** How often each answer was given, as `verb ANSWER`. */
  readonly counts = new Map<string, number>();
  /** COMMITTED, the other way round: what the events say was booked, by account. */
  readonly #booked = new Map<string, bigint>();
  #entries = 0;
  #timeMs = 0;
  #comparedAtMs = 0;

  constructor(
    start: { seq: number; epoch: number },
    books: Books = newBooks(start.seq, start.epoch),
  ) {
    this.books = books;
  }

  closed(): void {
    this.books.isOpen = false;
  }

  opened(seq: number, epoch: number): void {
    this.#require(epoch > this.books.epoch && seq >= this.books.seq, 'MONO: epoch or seq fell');
    Object.assign(this.books, { isOpen: true, seq, epoch });
  }

  /** Everything that was answered since the last time; nothing of it may still be under way. */
  replay(entries: readonly Entry[]): void {
    const groups = new Map<number, Entry[]>();
    for (const entry of entries) {
      const group = groups.get(entry.reply.seq);
      if (group) group.push(entry);
      else groups.set(entry.reply.seq, [entry]);
    }
    for (const seq of [...groups.keys()].sort((a, b) => a - b)) {
      this.#replayGroup(seq, groups.get(seq)!);
    }
    this.#entries += entries.length;
    if (this.#entries % PURGE_EVERY < entries.length) this.#purge();
  }

  #replayGroup(seq: number, group: Entry[]): void {
    const { books } = this;
    if (seq === books.seq) return this.#replayAll(undefined, group);
    this.#require(seq === books.seq + 1, `MONO: seq went from ${books.seq} to ${seq}`);
    const could = group.filter(({ operation, reply }) => {
      const { change, answer } = predict(books, operation, reply.timeMs);
      return change !== undefined && answer === reply.answer;
    });
    if (could.length === 0) this.#fail(group[0]!, 'no entry of this seq is the mutation');
    // Of two clients that did the same at once, the replies say which of them was first.
    const isFirst = (entry: Entry): boolean => {
      const trial = new Auditor(books, copyBooks(books));
      try {
        trial.#replayAll(entry, group);
        return true;
      } catch (error) {
        if (error instanceof Violation) return false;
        throw error;
      }
    };
    const mutation = could.length === 1 ? could[0]! : (could.find(isFirst) ?? could[0]!);
    this.#replayAll(mutation, group);
  }

  #replayAll(mutation: Entry | undefined, group: readonly Entry[]): void {
    if (mutation) this.#check(mutation, true);
    for (const entry of group) if (entry !== mutation) this.#check(entry, false);
  }

  #check(entry: Entry, isMutation: boolean): void {
    const { books } = this;
    const { operation, reply } = entry;
    this.#timeMs = Math.max(this.#timeMs, reply.timeMs);
    const prediction = predict(books, operation, reply.timeMs);
    if (prediction.answer !== reply.answer) this.#fail(entry, prediction.answer);
    if ((prediction.change !== undefined) !== isMutation) {
      this.#fail(entry, isMutation ? 'no mutation' : 'a mutation of its own');
    }
    if (prediction.change) {
      books.seq += 1;
      prediction.change();
    }
    this.#count(operation.verb, reply);
    if (reply.epoch !== books.epoch) this.#fail(entry, `epoch ${books.epoch}`);
    this.#checkMembers(entry, prediction);
    this.#checkBalances(entry, prediction);
    this.#addEvents(entry);
  }

  #checkMembers(entry: Entry, { members }: Prediction): void {
    const expected = members?.() ?? {};
    const names = ['shortages', 'ending', 'gone', 'event', 'results', 'stale'];
    for (const name of names) {
      if (!isDeepStrictEqual(plain(entry.reply[name]), plain(expected[name]))) {
        this.#fail(entry, `${name} ${JSON.stringify(expected[name])}`);
      }
    }
  }

  #checkBalances(entry: Entry, { lines, change }: Prediction): void {
    const { balances } = entry.reply;
    const wanted = lines ?? (balances as { envelope: string; label: string; unit: 'tokens' }[]);
    const expected = wanted.map((line) => balanceOf(this.books, line));
    if (!isDeepStrictEqual(balances, expected)) {
      this.#fail(entry, `balances ${JSON.stringify(expected)}`);
    }
    for (const line of lines ?? []) {
      const account = accountOf(this.books, line);
      const figures = [account.committed, account.reserved, account.overrun];
      this.#require(
        figures.every((value) => value >= 0n),
        'NONNEG',
      );
      const { limit, mode } = ruleOf(this.books, line.envelope);
      if (limit === null) continue;
      const over = account.committed + account.reserved - limit;
      if (over <= 0n) account.slack = 0n;
      else if (mode === 'block') this.#require(over <= account.slack, 'CAP-STATE');
      else if (change) account.slack = over;
    }
  }

  #addEvents({ operation, reply }: Entry): void {
    // What was put back is no event, but it is committed.
    if (operation.verb === 'restore' && operation.request.what === 'counters') {
      const { envelope, label, committed } = operation.request;
      const key = `${envelope} ${label}`;
      const added = reply.answer === 'RESTORED' ? BigInt(committed) : 0n;
      this.#booked.set(key, (this.#booked.get(key) ?? 0n) + added);
    }
    const results = (reply.results ?? []) as { event?: unknown }[];
    for (const event of [reply.event, ...results.map((result) => result.event)]) {
      if (!event) continue;
      for (const { e, l, a } of (event as { lines: { e: string; l: string; a: number }[] }).lines) {
        const key = `${e} ${l}`;
        this.#booked.set(key, (this.#booked.get(key) ?? 0n) + BigInt(a));
      }
    }
  }

  /** Nothing is listed as overdue that has ended or whose lease still runs. */
  listed(due: readonly string[], nowMs: number): void {
    for (const id of due) {
      const running = this.books.running.get(id);
      this.#require(running !== undefined, `overdue lists ${id}, which has ended`);
      this.#require(running!.leaseEndsAtMs <= nowMs + 1000, `overdue lists ${id} too early`);
    }
  }

  /** Compares what changed since the last time with the books, while nothing is under way. */
  async compare(ledger: Ledger): Promise<void> {
    const { books } = this;
    const state = await ledger.state();
    this.#require(state.seq === books.seq, `MONO: seq ${state.seq}, not ${books.seq}`);
    this.#require(state.held === books.running.size, `RESERVED: ${state.held} holds`);
    const { holds } = await ledger.holds({ offset: 0, limit: books.running.size + 1 });
    const sums = new Map<string, bigint>();
    for (const { id, lines, leaseEndsAtMs, phase, seen, floor } of holds) {
      const running = books.running.get(id);
      if (!running) throw new Violation(`ONCE: ${id} has ended but is held`, this.#entries);
      const told = { leaseEndsAtMs, phase, seen, floor };
      for (const [name, value] of Object.entries(told)) {
        const expected = running[name as keyof typeof told];
        this.#require(isDeepStrictEqual(value, expected), `hold ${id}: ${name}`);
      }
      for (const { envelope, label, amount } of lines) {
        const key = `${envelope} ${label}`;
        sums.set(key, (sums.get(key) ?? 0n) + BigInt(amount));
      }
    }
    const sinceMs = Math.max(this.#comparedAtMs, this.#timeMs - KEPT_MS);
    this.#comparedAtMs = this.#timeMs;
    const accounts = [...books.accounts].filter(
      ([, { reserved, touchedAtMs }]) => reserved > 0n || touchedAtMs >= sinceMs,
    );
    const balances = await ledger.balances(accounts.map(([, account]) => account));
    accounts.forEach(([key, account], i) => {
      const balance = balances[i]!;
      const expected = balanceOf(books, account);
      this.#require(isDeepStrictEqual(balance, expected), `balance of ${key}`);
      this.#require(BigInt(balance.reserved) === (sums.get(key) ?? 0n), `RESERVED: ${key}`);
      const booked = this.#booked.get(key) ?? 0n;
      this.#require(BigInt(balance.committed) === booked, `COMMITTED: ${key}`);
    });
  }

  // Tombstones that the ledger has forgotten, and labels that it may have.
  #purge(): void {
    const { books } = this;
    const nowMs = this.#timeMs;
    for (const [id, { expiresAtMs }] of books.ended) {
      if (expiresAtMs + TWO_HOURS_MS < nowMs) books.ended.delete(id);
    }
    for (const [id, expiresAtMs] of books.adjusts) {
      if (expiresAtMs + TWO_HOURS_MS < nowMs) books.adjusts.delete(id);
    }
    for (const [key, { reserved, touchedAtMs, label }] of books.accounts) {
      if (reserved > 0n || touchedAtMs + KEPT_MS > nowMs || label === 'ever') continue;
      books.accounts.delete(key);
      this.#booked.delete(key);
    }
  }

  #count(verb: string, { answer, results }: AnyReply): void {
    const bump = (name: string) => {
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    };
    bump(`${verb} ${answer}`);
    for (const result of (results ?? []) as { answer: string }[]) bump(`${verb} ${result.answer}`);
  }

  #require(condition: boolean, message: string): void {
    if (!condition) throw new Violation(message, this.#entries);
  }

  #fail({ operation, reply }: Entry, expected: string): never {
    const told = JSON.stringify({ ...operation, reply });
    throw new Violation(`expected ${expected}: ${told}`, this.#entries);
  }
}

/** Absent and undefined are the same, and so are an object and its copy with other prototypes. */
function plain(value: unknown): unknown {
  if (value === undefined || value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, plain(member)]),
  );
}
