// Replays what the wire carried, in the order in which Redis acted, and says where the ledger was
// wrong: every answer, every counter, and after every restart all that Redis still knows. What
// Redis did and had no time to answer is found by trying; what it has forgotten is taken back to
// the very mutation up to which it remembers.

import { Violation } from '../model/auditor.js';
import { type Books, copyBooks, newBooks } from '../model/books.js';
import { readAnswer } from './answers.js';
import type { Asked, ReadCommand } from './commands.js';
import type { Dump } from './dump.js';
import { differences, expectedAnswer, isExcused, type Spoken, wrongIn } from './expected.js';
import type { Told } from './proxy.js';

/** A step that the books have taken, to be taken again after Redis has forgotten later ones. */
interface Step {
  asked: Asked;
  timeMs: number;
  /** As it was answered, where it was. */
  spoken?: Spoken;
}

interface Began {
  epoch: number;
  books: Books;
  /** Steps taken since, in order. */
  steps: Step[];
}

interface Place {
  /** Of what was heard after the first gap. */
  next: number;
  queues: readonly (readonly Asked[])[];
  /** Taken on trial. */
  steps: readonly Step[];
}

interface Unanswered {
  connection: number;
  asked: Asked;
}

const TRIED_MAX = 4_000;

export class WireAuditor {
  /** How often each answer was given, as `verb ANSWER`. */
  readonly counts = new Map<string, number>();
  /** Errors that Redis answered with, by script. */
  readonly errors = new Map<string, number>();
  /** What became of each reservation, answer by answer. */
  readonly trace = new Map<string, string[]>();
  /** Reservations that somebody has damaged. */
  readonly damaged = new Set<string>();
  readonly #read: ReadCommand;
  #books: Books = { ...newBooks(0, 0), isOpen: false };
  #hasEpoch = false;
  #epochs: Began[] = [];
  #spoken: Spoken[] = [];
  #unanswered: Unanswered[] = [];
  #replayed = 0;
  #openedAt = '';
  /** Who closed and opened it, for whoever reads a violation. */
  readonly #admissions: string[] = [];
  #timeMs = 0;
  #guessed = 0;

  constructor(read: ReadCommand) {
    this.#read = read;
  }

  /** Answers that were held against the books, and mutations that were found by trying. */
  get figures(): { replayed: number; guessed: number } {
    return { replayed: this.#replayed, guessed: this.#guessed };
  }

  get books(): Books {
    return this.#books;
  }

  hear({ command, reply, connection }: Told): void {
    const asked = this.#read(command);
    if (!asked) return;
    const isVerb = asked.operation !== undefined || asked.script === 'admission';
    if (!isVerb) return;
    if (reply === undefined) return void this.#unanswered.push({ connection, asked });
    // An error is no answer of the ledger; had it moved anything, a seq would be missing.
    if (typeof reply !== 'string' && !Array.isArray(reply)) {
      const { error } = reply as { error: string };
      const name = `${asked.script}: ${error.slice(0, 160)}`;
      this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
      return;
    }
    const { answer, seq, epoch, timeMs, detail, balances, last } = readAnswer(reply);
    this.#count(asked, answer, detail);
    this.#note(asked, answer, epoch, seq, detail);
    if (asked.script === 'admission') {
      this.#admissions.push(`${asked.args.join(' ')}: ${answer} ${epoch} ${seq} at ${timeMs}`);
    }
    this.#timeMs = Math.max(this.#timeMs, timeMs);
    this.#spoken.push({ asked, answer, seq, epoch, timeMs, detail, balances, last });
  }

  /** Replays what was heard so far; false where something in between is still on its way. */
  settle(): boolean {
    const left = this.#replayUntilGap();
    this.#spoken.push(...left);
    return left.length === 0;
  }

  /** Reservations of which something was asked that nobody answered. */
  unanswered(): string[] {
    const ids = this.#unanswered.flatMap(({ asked: { operation } }) => {
      const request = operation?.request as { id?: string } | string | undefined;
      return typeof request === 'string' ? [request] : (request?.id ?? []);
    });
    return [...new Set(ids)];
  }

  /** Redis has begun again with this: it may have acted more, or remember less, than was heard. */
  restarted(dump: Dump): void {
    const left = this.#replayUntilGap();
    const unanswered = this.#unanswered.splice(0);
    const { epoch, seq, isOpen } = dump;
    if (epoch === undefined) {
      this.#forgetAll();
      return;
    }
    const isSame = this.#hasEpoch && epoch === this.#books.epoch;
    if (isSame && seq >= this.#books.seq) {
      this.#books = this.#fill(left, unanswered, dump);
    } else {
      this.#rewind(epoch, seq);
    }
    // Opening is no mutation: it may be all that was lost, or all that nobody was told of.
    this.#books.isOpen = isOpen;
    this.compare(dump);
  }

  /** All that Redis has, held against the books. */
  compare(dump: Dump): void {
    const { books } = this;
    const where = `after ${this.#replayed} answers, epoch ${dump.epoch}, seq ${dump.seq}`;
    if (dump.epoch === undefined || !dump.isOpen) return;
    if (dump.epoch !== books.epoch || dump.seq !== books.seq) {
      throw new Violation(`${where}: expected ${books.epoch}, ${books.seq}`, this.#replayed);
    }
    const wrong = differences(books, dump);
    if (wrong.length > 0) throw new Violation(`${where}: ${wrong.join('; ')}`, this.#replayed);
  }

  isCaughtUp(dump: Dump): boolean {
    return dump.epoch === this.#books.epoch && dump.seq === this.#books.seq;
  }

  // In the order of epoch and seq, up to the first mutation that nobody told of.
  #replayUntilGap(): Spoken[] {
    const groups = groupsOf(this.#spoken.splice(0));
    for (const [i, group] of groups.entries()) {
      if (!this.#replay(group)) return groups.slice(i).flat();
    }
    return [];
  }

  /** False: a mutation is missing before this group. */
  #replay(group: readonly Spoken[]): boolean {
    this.#beginEpoch(group);
    const [first] = group as [Spoken];
    const now = this.#hasEpoch ? this.#books.epoch : 0;
    if (first.epoch !== now) this.#fail(first, `epoch ${now}`);
    if (first.seq > this.#books.seq + 1) return false;
    if (first.seq < this.#books.seq) this.#fail(first, `MONO: seq ${this.#books.seq}`);
    if (first.seq === this.#books.seq) {
      this.#replayAll(undefined, group);
    } else {
      const mutation = this.#mutationOf(group);
      if (!mutation) return false;
      this.#replayAll(mutation, group);
    }
    this.#replayed += group.length;
    return true;
  }

  // Who moved is told its own seq. Where nobody was, the mutation is not heard of yet, or was not
  // answered: what came after it at the same seq is no mutation, though it might have been one. Where
  // several could be, the others say which of them was.
  #mutationOf(group: readonly Spoken[]): Spoken | undefined {
    if (!group.some(({ last, seq }) => last === seq)) return undefined;
    const expected = group.map((one) => this.#expect(one.asked, one.timeMs, one));
    const could = group.filter(
      ({ answer, last, seq }, i) =>
        last === seq && expected[i]!.change !== undefined && expected[i]!.answer === answer,
    );
    if (could.length === 0) this.#fail(group[0]!, `a mutation, ${expected[0]!.answer}`);
    const before = this.#books;
    const isIt = (one: Spoken): boolean => {
      this.#books = copyBooks(before);
      try {
        this.#replayAll(one, group, true);
        return true;
      } catch (error) {
        if (error instanceof Violation) return false;
        throw error;
      } finally {
        this.#books = before;
      }
    };
    return could.length === 1 ? could[0]! : (could.find(isIt) ?? could[0]!);
  }

  #replayAll(mutation: Spoken | undefined, group: readonly Spoken[], isTrial = false): void {
    if (mutation) {
      const wrong = this.#wrongIn(mutation, true);
      if (wrong !== undefined) this.#fail(mutation, wrong);
      const { asked, timeMs } = mutation;
      if (!isTrial) this.#steps.push({ asked, timeMs, spoken: mutation });
    }
    const isOpening = ({ asked }: Spoken): boolean =>
      asked.script === 'admission' && asked.args[2] === 'open';
    const opens = group.some(isOpening);
    const { epoch, seq } = this.#books;
    if (opens) this.#openedAt = `${epoch} ${seq}`;
    // Opening is no mutation: what has its seq may have come before it or after it.
    const isEither = this.#openedAt === `${epoch} ${seq}`;
    for (const one of group) {
      if (one === mutation || one.asked.script === 'admission') continue;
      const wrong = this.#wrongIn(one);
      if (wrong === undefined) continue;
      const isRight = isEither && this.#theOtherWay(() => this.#wrongIn(one)) === undefined;
      if (!isRight) this.#fail(one, wrong);
    }
    if (opens) this.#books.isOpen = true;
  }

  #beginEpoch(group: readonly Spoken[]): void {
    const begun = group.find(
      ({ asked, answer }) =>
        asked.script === 'admission' && asked.args[2] === 'begin' && answer === 'DONE',
    );
    if (!begun || (this.#hasEpoch && begun.epoch === this.#books.epoch)) return;
    const { seq, rules } = this.#books;
    if (this.#hasEpoch && begun.epoch < this.#books.epoch) this.#fail(begun, 'MONO: epoch fell');
    this.#books = { ...newBooks(seq, begun.epoch), rules, isOpen: false };
    this.#hasEpoch = true;
    this.#epochs.push({ epoch: begun.epoch, books: copyBooks(this.#books), steps: [] });
  }

  get #steps(): Step[] {
    return this.#epochs.at(-1)!.steps;
  }

  #expect(asked: Asked, timeMs: number, spoken?: Spoken) {
    const hasEpoch = this.#hasEpoch;
    return expectedAnswer(this.#books, { asked, timeMs, hasEpoch, damaged: this.damaged }, spoken);
  }

  #wrongIn(spoken: Spoken, isMutation = false): string | undefined {
    if (isExcused(spoken, this.#books, this.damaged)) return undefined;
    const expected = this.#expect(spoken.asked, spoken.timeMs, spoken);
    if (expected.answer !== spoken.answer) return expected.answer;
    if ((expected.change !== undefined) !== isMutation) {
      return isMutation ? 'no mutation' : 'a mutation of its own';
    }
    if (expected.change) this.#move(spoken.asked, expected.change);
    return wrongIn(this.#books, expected, spoken);
  }

  #theOtherWay<T>(look: () => T): T {
    this.#books.isOpen = !this.#books.isOpen;
    const seen = look();
    this.#books.isOpen = !this.#books.isOpen;
    return seen;
  }

  #forgetAll(): void {
    this.#books = { ...newBooks(0, 0), isOpen: false };
    this.#hasEpoch = false;
    this.#epochs = [];
  }

  #rewind(epoch: number, seq: number): void {
    while (this.#epochs.length > 0 && this.#epochs.at(-1)!.epoch > epoch) this.#epochs.pop();
    const began = this.#epochs.at(-1);
    if (began?.epoch !== epoch) throw new Violation(`epoch ${epoch} never was`, this.#replayed);
    this.#hasEpoch = true;
    this.#books = copyBooks(began.books);
    const kept: Step[] = [];
    for (const step of began.steps) {
      if (this.#books.seq === seq) break;
      if (!this.#take(step)) throw new Violation('a step back that is none', this.#replayed);
      kept.push(step);
    }
    began.steps = kept;
    if (this.#books.seq !== seq) {
      throw new Violation(`seq ${seq} of epoch ${epoch} never was`, this.#replayed);
    }
  }

  #take({ asked, timeMs, spoken }: Step): boolean {
    // What was once a mutation was one with admission as it then was.
    const { isOpen } = this.#books;
    this.#books.isOpen = asked.operation?.verb !== 'restore';
    const again = { ...asked, epoch: this.#books.epoch, seen: 0, own: 0 };
    const { damaged } = this;
    const { change } = expectedAnswer(
      this.#books,
      { asked: again, timeMs, hasEpoch: true, damaged },
      spoken,
    );
    this.#books.isOpen = isOpen;
    if (!change) return false;
    this.#move(asked, change);
    return true;
  }

  #move({ caller }: Asked, change: () => void): void {
    this.#books.seq += 1;
    this.#books.lasts.set(caller, this.#books.seq);
    change();
  }

  // Each connection was served in order, so what Redis did last is a beginning of what each of them
  // had sent; which, is seen from what came after, and from what Redis has now.
  #fill(left: readonly Spoken[], unanswered: readonly Unanswered[], dump: Dump): Books {
    const queues = new Map<number, Asked[]>();
    for (const { connection, asked } of unanswered) {
      queues.set(connection, [...(queues.get(connection) ?? []), asked]);
    }
    const groups = groupsOf(
      left.filter(({ epoch, seq }) => epoch === dump.epoch && seq <= dump.seq),
    );
    const from = this.#books.seq;
    let tried = 0;
    let why = '';
    // Mostly Redis had read one connection after the other; only if no order of them explains what
    // is there, all that can be is tried.
    const search = (place: Place, isFree: boolean): boolean => {
      tried += 1;
      if (tried > TRIED_MAX) return false;
      let { next } = place;
      while (next < groups.length) {
        try {
          if (!this.#replay(groups[next]!)) break;
        } catch (error) {
          if (!(error instanceof Violation)) throw error;
          why = error.message;
          return false;
        }
        next += 1;
      }
      if (next === groups.length && this.#books.seq === dump.seq) {
        adoptLeases(this.#books, dump, place.steps);
        const wrong = [...differences(this.#books, dump), ...otherFates(this.#books, dump)];
        why = wrong.join('; ');
        return wrong.length === 0;
      }
      for (const [q, queue] of place.queues.entries()) {
        for (const [at, asked] of queue.entries()) {
          // Nor was anything that its connection brought after it.
          if (isUndone(asked, dump)) break;
          const step = { asked, timeMs: this.#timeMs };
          const [before, taken] = [copyBooks(this.#books), [...this.#steps]];
          if (!this.#take(step)) continue;
          this.#steps.push(step);
          const queues = place.queues.with(q, queue.slice(at + 1));
          const isSo = isAsFated(this.#books, asked, dump);
          if (isSo && search({ next, queues, steps: [...place.steps, step] }, isFree)) return true;
          this.#books = before;
          this.#steps.splice(0, this.#steps.length, ...taken);
          if (!isFree) return false;
          break;
        }
      }
      return false;
    };
    const begin = { next: 0, steps: [] };
    const [before, taken] = [copyBooks(this.#books), [...this.#steps]];
    const all = [...queues.values()];
    for (const [i, order] of [...ordersOf(all), all].entries()) {
      if (search({ ...begin, queues: order }, i === factorial(all.length))) {
        this.#guessed += dump.seq - from - groups.length;
        return this.#books;
      }
      this.#books = copyBooks(before);
      this.#steps.splice(0, this.#steps.length, ...taken);
    }
    const sent = unanswered.length;
    throw new Violation(
      `nothing that was sent (${sent}) explains seq ${dump.seq} after ${from}: ${why}`,
      this.#replayed,
    );
  }

  #note(
    { script, args, operation }: Asked,
    answer: string,
    epoch: number,
    seq: number,
    detail: unknown,
  ) {
    const add = (id: string, what: string): void => {
      this.trace.set(id, [...(this.trace.get(id) ?? []), `${what} ${epoch}:${seq}`]);
    };
    if (operation?.verb === 'reap' && answer === 'SWEPT') {
      for (const [i, id] of operation.request.entries()) {
        add(id, `reap ${(detail as string[][])[i]?.[0]}`);
      }
    } else if (operation && script !== 'beat' && script !== 'set_limit') {
      add(script === 'restore' ? (args[3] ?? '') : (args[2] ?? ''), `${script} ${answer}`);
    }
  }

  #count({ operation }: Asked, answer: string, detail: unknown): void {
    if (!operation) return;
    const bump = (name: string): void => {
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    };
    bump(`${operation.verb} ${answer}`);
    if (answer === 'SWEPT') for (const [one] of detail as string[][]) bump(`reap ${one}`);
  }

  #fail({ asked, ...spoken }: Spoken, expected: string): never {
    const { script, args } = asked;
    const what = JSON.stringify({ reply: spoken, script, args });
    const { books } = this;
    const now = `epoch ${books.epoch} seq ${books.seq} ${books.isOpen ? 'open' : 'closed'}`;
    const doors = this.#admissions.slice(-6).join('; ');
    throw new Violation(`expected ${expected} (${now}; ${doors}): ${what}`, this.#replayed);
  }
}

/** What became of a reservation shows in no counter where it was refused or voided. */
function otherFates(books: Books, { fates }: Dump): string[] {
  return [...fates].flatMap(([id, fate]) => {
    const expected = books.running.get(id)?.phase ?? books.ended.get(id)?.how ?? null;
    return expected === fate ? [] : [`${id} is ${fate} and not ${expected}`];
  });
}

/** A reserve or a release that was carried out leaves its reservation, if only as a tombstone. */
function isUndone({ operation }: Asked, { fates }: Dump): boolean {
  if (operation?.verb === 'reserve') return fates.get(operation.request.id) === null;
  return operation?.verb === 'release' && fates.get(operation.request) === null;
}

/** Whether a reserve came out as Redis has it: one that was refused stays so. */
function isAsFated(books: Books, { operation }: Asked, { fates }: Dump): boolean {
  if (operation?.verb !== 'reserve') return true;
  const fate = fates.get(operation.request.id);
  const isRefused = books.ended.get(operation.request.id)?.how === 'refused';
  return fate === undefined || isRefused === (fate === 'refused');
}

function ordersOf<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) => ordersOf(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

/** When something was done that nobody answered is not known: its lease is as Redis says. */
function adoptLeases(books: Books, dump: Dump, steps: readonly Step[]): void {
  const ids = steps.flatMap(({ asked: { operation } }) => {
    if (operation?.verb === 'beat') return operation.request.beats.map(({ id }) => id);
    const request = operation?.request as { id?: string } | undefined;
    return request?.id === undefined ? [] : [request.id];
  });
  for (const id of ids) {
    const [running, hold] = [books.running.get(id), dump.holds.get(id)];
    if (running && hold) running.leaseEndsAtMs = hold.leaseEndsAtMs;
  }
}

function groupsOf(spoken: readonly Spoken[]): Spoken[][] {
  const sorted = [...spoken].sort((a, b) => a.epoch - b.epoch || a.seq - b.seq);
  const groups: Spoken[][] = [];
  for (const one of sorted) {
    const last = groups.at(-1)?.[0];
    if (last?.epoch === one.epoch && last.seq === one.seq) groups.at(-1)!.push(one);
    else groups.push([one]);
  }
  return groups;
}
