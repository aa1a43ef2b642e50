// What a right ledger answers to each verb, given the books, and how the books change by it.
// A prediction has `change` if and only if the verb is a mutation.

import type { Amounts, Unit } from '#src/core/amount.js';
import type { ReserveLine } from '#src/core/line.js';
import type {
  AdjustRequest,
  BeatRequest,
  ExtendRequest,
  FinalizeRequest,
  LimitSetting,
  ReserveRequest,
  RestoreRequest,
} from '#src/stores/ledger/ledger.js';
import {
  type Account,
  accountOf,
  type Books,
  type Ended,
  endedAs,
  isWhole,
  type Running,
  ruleOf,
  signatureOf,
  TWO_HOURS_MS,
} from './books.js';
import type { Operation } from './history.js';

export type LineKey = { envelope: string; label: string; unit: Unit };

export interface Prediction {
  answer: string;
  change?: () => void;
  /** Lines whose balances the reply must show, exactly these; absent: no more than right ones. */
  lines?: readonly LineKey[];
  /** Further members of the reply, worked out after the change; undefined members are absent. */
  members?: () => Record<string, unknown>;
}

/** A line of an event before it is known by which mutation it was booked. */
interface Booking {
  e: string;
  l: string;
  u: Unit;
  a: number;
  o: number;
}

const ZERO: Amounts = { nano_usd: 0, tokens: 0, requests: 0, concurrency: 0 };
const UNITS = Object.keys(ZERO) as Unit[];

export function predict(books: Books, operation: Operation, timeMs: number): Prediction {
  switch (operation.verb) {
    case 'reserve':
      return predictReserve(books, operation.request, timeMs);
    case 'extend':
      return predictExtend(books, operation.request, timeMs);
    case 'beat':
      return predictBeat(books, operation.request, timeMs);
    case 'finalize':
      return predictFinalize(books, operation.request, timeMs);
    case 'release':
      return predictRelease(books, operation.request, timeMs);
    case 'reap':
      return predictReap(books, operation.request, timeMs);
    case 'adjust':
      return predictAdjust(books, operation.request, timeMs);
    case 'setLimits':
      return predictSetLimits(books, operation.request);
    case 'restore':
      return predictRestore(books, operation.request, timeMs);
  }
}

function predictReserve(books: Books, request: ReserveRequest, timeMs: number): Prediction {
  const { id, lines, leaseMs, owner, stub } = request;
  if (!id || !areRight(lines) || !(leaseMs >= 1)) return { answer: 'INVALID_INPUT' };
  if (!books.isOpen) return { answer: 'LEDGER_LOST' };
  const signature = signatureOf(lines);
  const ended = endedAs(books, id, timeMs);
  if (ended?.how === 'voided') return { answer: 'VOIDED' };
  const first = books.running.get(id) ?? ended;
  if (first && first.signature !== signature) return { answer: 'CONFLICT' };
  if (ended?.shortages) {
    const { shortages } = ended;
    return { answer: 'BUDGET_EXCEEDED', lines, members: () => ({ shortages }) };
  }
  if (first) return { answer: 'ALREADY_RESERVED', lines };
  const told = lines.map((line) => newerRule(books, line));
  const shortages = lines.flatMap((line, i) => shortage(books, line, line.amount, told[i]!, true));
  const keep = () => {
    lines.forEach((line, i) => {
      setRule(books, line.envelope, told[i]!);
    });
  };
  if (shortages.length > 0) {
    return {
      answer: 'BUDGET_EXCEEDED',
      lines,
      members: () => ({ shortages }),
      change: () => {
        keep();
        const expiresAtMs = timeMs + TWO_HOURS_MS;
        const rest = { lines, charged: ZERO, isLateBooked: false, shortages };
        books.ended.set(id, { how: 'refused', signature, expiresAtMs, ...rest });
      },
    };
  }
  return {
    answer: 'RESERVED',
    lines,
    change: () => {
      keep();
      const held = lines.map((line) => BigInt(line.amount));
      lines.forEach((line, i) => {
        accountOf(books, line).reserved += held[i]!;
      });
      const lease = { leaseEndsAtMs: timeMs + leaseMs, phase: 'held' } as const;
      const spend = { floor: ZERO, seen: ZERO };
      books.running.set(id, { id, owner, signature, lines, held, ...lease, ...spend, stub });
    },
  };
}

function predictExtend(books: Books, request: ExtendRequest, timeMs: number): Prediction {
  const { id, more, leaseMs } = request;
  if (!id || !areWhole(more) || !(leaseMs >= 1)) return { answer: 'INVALID_INPUT' };
  if (!books.isOpen) return { answer: 'LEDGER_LOST' };
  const running = books.running.get(id);
  if (!running) {
    return { answer: 'GONE', members: () => ({ ending: endingOf(books, id, timeMs) }) };
  }
  const { lines } = running;
  const shortages = lines.flatMap((line) => {
    const needed = more[line.unit];
    return needed === 0 ? [] : shortage(books, line, needed, ruleOf(books, line.envelope), false);
  });
  if (shortages.length > 0) return { answer: 'DENIED', lines, members: () => ({ shortages }) };
  return {
    answer: 'EXTENDED',
    lines,
    change: () => {
      lines.forEach((line, i) => {
        running.held[i]! += BigInt(more[line.unit]);
        accountOf(books, line).reserved += BigInt(more[line.unit]);
      });
      running.leaseEndsAtMs = timeMs + leaseMs;
    },
  };
}

function predictBeat(books: Books, request: BeatRequest, timeMs: number): Prediction {
  const { beats, leaseMs } = request;
  const isRight =
    beats.length <= 64 &&
    beats.every(({ id, seen, sent }) => id && areWhole(seen) && (!sent || areWhole(sent.floor)));
  if (!isRight || !(leaseMs >= 1))
    return { answer: 'INVALID_INPUT', members: () => ({ gone: [] }) };
  if (!books.isOpen) return { answer: 'LEDGER_LOST', members: () => ({ gone: [] }) };
  const here = beats.filter(({ id }) => books.running.has(id));
  const gone = beats
    .filter(({ id }) => !books.running.has(id))
    .map(({ id }) => ({ id, ending: endingOf(books, id, timeMs) }));
  const prediction: Prediction = { answer: 'BEATEN', members: () => ({ gone }) };
  if (here.length === 0) return prediction;
  return {
    ...prediction,
    change: () => {
      for (const { id, seen, sent } of here) {
        const running = books.running.get(id)!;
        running.seen = greater(running.seen, seen);
        running.leaseEndsAtMs = timeMs + leaseMs;
        if (!sent) continue;
        running.phase = 'sent';
        running.floor = greater(running.floor, sent.floor);
      }
    },
  };
}

function predictFinalize(books: Books, request: FinalizeRequest, timeMs: number): Prediction {
  const { id, actual, event } = request;
  if (!id || !areWhole(actual)) return { answer: 'INVALID_INPUT' };
  if (!books.isOpen) return { answer: 'LEDGER_LOST' };
  const running = books.running.get(id);
  if (running) {
    let booked: Booking[] = [];
    return {
      answer: 'FINALIZED',
      lines: running.lines,
      change: () => {
        booked = settle(books, running, actual, timeMs);
        end(books, running, 'finalized', ZERO, timeMs);
      },
      members: () => ({ event: { ...event, kind: 'base', ...stamp(books, booked, timeMs) } }),
    };
  }
  const ended = endedAs(books, id, timeMs);
  if (!ended || ended.how === 'refused' || ended.how === 'voided') return { answer: 'UNKNOWN' };
  if (ended.how === 'finalized' || ended.isLateBooked) return { answer: 'ALREADY_FINALIZED' };
  let booked: Booking[] = [];
  return {
    answer: 'LATE_FINALIZE',
    lines: ended.lines,
    change: () => {
      booked = bookLate(books, ended, actual, timeMs);
    },
    members: () => ({ event: { ...event, kind: 'late', ...stamp(books, booked, timeMs) } }),
  };
}

function bookLate(books: Books, ended: Ended, actual: Amounts, timeMs: number): Booking[] {
  ended.isLateBooked = true;
  return ended.lines.map((line) => {
    const account = accountOf(books, line);
    const difference = BigInt(actual[line.unit]) - BigInt(ended.charged[line.unit]);
    const delta = difference < -account.committed ? -account.committed : difference;
    const over = delta > 0n ? delta : 0n;
    return book(account, delta, over, timeMs);
  });
}

function predictRelease(books: Books, id: string, timeMs: number): Prediction {
  if (!id) return { answer: 'INVALID_INPUT' };
  const running = books.running.get(id);
  if (running) {
    return {
      answer: 'RELEASED',
      lines: running.lines,
      change: () => {
        giveBack(books, running, timeMs);
        end(books, running, 'released', ZERO, timeMs);
      },
    };
  }
  const ended = endedAs(books, id, timeMs);
  if (!ended) {
    return {
      answer: 'VOIDED_AHEAD',
      change: () => {
        const expiresAtMs = timeMs + TWO_HOURS_MS;
        const rest = { lines: [], charged: ZERO, isLateBooked: false };
        books.ended.set(id, { how: 'voided', signature: '', expiresAtMs, ...rest });
      },
    };
  }
  const answers = {
    finalized: 'ALREADY_FINALIZED',
    reaped: 'ALREADY_REAPED',
    released: 'ALREADY_RELEASED',
    refused: 'ALREADY_RELEASED',
    voided: 'VOIDED_AHEAD',
  };
  return { answer: answers[ended.how] };
}

function predictReap(books: Books, ids: readonly string[], timeMs: number): Prediction {
  if (ids.length > 64 || ids.some((id) => !id)) {
    return { answer: 'INVALID_INPUT', members: () => ({ results: [] }) };
  }
  if (!books.isOpen) return { answer: 'LEDGER_LOST', members: () => ({ results: [] }) };
  const taken = new Set<string>();
  const fates = ids.map((id) => {
    const running = taken.has(id) ? undefined : books.running.get(id);
    if (!running) return { id, fate: 'GONE' } as const;
    if (running.leaseEndsAtMs > timeMs) return { id, fate: 'NOT_DUE' } as const;
    taken.add(id);
    return { id, fate: 'REAPED', running } as const;
  });
  const done = new Map<string, { booked: Booking[]; reclaimed: Amounts }>();
  const change = () => {
    for (const { id, fate, running } of fates.filter((one) => one.fate === 'REAPED')) {
      const most = { ...greater(running.floor, running.seen), concurrency: 0 };
      const charge = running.phase === 'sent' ? most : ZERO;
      const reclaimed = reclaimedBy(running, charge);
      const booked = settle(books, running, charge, timeMs);
      end(books, running, 'reaped', charge, timeMs);
      if (fate) done.set(id, { booked, reclaimed });
    }
  };
  const members = () => ({
    results: fates.map((one) => {
      if (one.fate !== 'REAPED') return { id: one.id, answer: one.fate };
      const { booked, reclaimed } = done.get(one.id)!;
      const result = { id: one.id, answer: 'REAPED', reclaimed };
      if (one.running.phase === 'held') return result;
      const stub: unknown = JSON.parse(one.running.stub);
      const event = { id: one.id, kind: 'base', stub, ...stamp(books, booked, timeMs) };
      return { ...result, event };
    }),
  });
  return { answer: 'SWEPT', members, ...(taken.size > 0 && { change }) };
}

function reclaimedBy(running: Running, charge: Amounts): Amounts {
  const reclaimed = { ...ZERO } as Record<Unit, number>;
  running.lines.forEach(({ unit }, i) => {
    reclaimed[unit] = Math.max(reclaimed[unit], Number(running.held[i]!) - charge[unit]);
  });
  return reclaimed;
}

function predictAdjust(books: Books, request: AdjustRequest, timeMs: number): Prediction {
  const { id, lines, event } = request;
  const keys = new Set(lines.map((line) => `${line.envelope} ${line.label}`));
  const isRight = lines.every(({ amount }) => isWhole(Math.abs(amount)));
  if (!id || !isRight || keys.size < lines.length || keys.size > 16) {
    return { answer: 'INVALID_INPUT' };
  }
  if (!books.isOpen) return { answer: 'LEDGER_LOST' };
  if ((books.adjusts.get(id) ?? 0) > timeMs) return { answer: 'EXISTS' };
  let booked: Booking[] = [];
  return {
    answer: 'ADJUSTED',
    lines,
    change: () => {
      books.adjusts.set(id, timeMs + TWO_HOURS_MS);
      booked = lines.map((line) => {
        const account = accountOf(books, line);
        const wanted = BigInt(line.amount);
        const delta = wanted < -account.committed ? -account.committed : wanted;
        if (delta > 0n) account.slack += delta;
        return book(account, delta, 0n, timeMs);
      });
    },
    members: () => ({ event: { ...event, ...stamp(books, booked, timeMs) } }),
  };
}

function predictSetLimits(books: Books, settings: readonly LimitSetting[]): Prediction {
  const isRight = settings.every(
    ({ limit, version }) => (limit === null || isWhole(limit)) && isWhole(version),
  );
  if (!isRight) return { answer: 'INVALID_INPUT', members: () => ({ stale: [] }) };
  const stale = settings
    .filter(({ envelope, version }) => version < ruleOf(books, envelope).version)
    .map(({ envelope }) => envelope);
  const newer = settings.filter(
    ({ envelope, version }) => version > ruleOf(books, envelope).version,
  );
  const prediction: Prediction = { answer: 'SET', members: () => ({ stale }) };
  if (newer.length === 0) return prediction;
  const change = () => {
    for (const one of newer) setRule(books, one.envelope, newerRule(books, one));
  };
  return { ...prediction, change };
}

function predictRestore(books: Books, request: RestoreRequest, timeMs: number): Prediction {
  if (books.isOpen) return { answer: 'INVALID_INPUT' };
  if (request.what === 'counters') {
    const { committed, overrun } = request;
    if (![committed, overrun].every(isWhole)) return { answer: 'INVALID_INPUT' };
    const account = accountOf(books, request);
    if (account.isBooked) return { answer: 'EXISTS' };
    return {
      answer: 'RESTORED',
      lines: [request],
      change: () => {
        book(account, BigInt(committed), BigInt(overrun), timeMs);
        account.slack += BigInt(committed);
      },
    };
  }
  const { hold } = request;
  const { id, lines } = hold;
  if (!id || !areRight(lines)) return { answer: 'INVALID_INPUT' };
  if (books.running.has(id) || endedAs(books, id, timeMs)) return { answer: 'EXISTS' };
  return {
    answer: 'RESTORED',
    lines,
    change: () => {
      const held = lines.map((line) => BigInt(line.amount));
      lines.forEach((line, i) => {
        setRule(books, line.envelope, newerRule(books, line));
        const account = accountOf(books, line);
        account.reserved += held[i]!;
        account.slack += held[i]!;
      });
      books.running.set(id, { ...hold, signature: signatureOf(lines), held });
    },
  };
}

// What the verbs have in common.

function shortage(
  books: Books,
  line: ReserveLine,
  needed: number,
  rule: { limit: bigint | null; mode: string },
  isNew: boolean,
): object[] {
  const { committed, reserved } = accountOf(books, line);
  const { limit } = rule;
  if (limit === null || rule.mode === 'warn') return [];
  const fits = committed + reserved + BigInt(needed) <= limit;
  if (fits && !(isNew && limit === 0n)) return [];
  const { envelope, label, unit } = line;
  const figures = { committed: Number(committed), reserved: Number(reserved) };
  return [{ envelope, label, unit, needed, limit: Number(limit), ...figures }];
}

function newerRule(books: Books, told: Omit<LimitSetting, 'envelope'> & { envelope: string }) {
  const known = ruleOf(books, told.envelope);
  if (known.version >= told.version) return known;
  const { version, limit, mode } = told;
  return { version, limit: limit === null ? null : BigInt(limit), mode };
}

// What is over the limit because the limit changed is nobody's fault.
function setRule(books: Books, envelope: string, rule: ReturnType<typeof newerRule>): void {
  const before = ruleOf(books, envelope);
  if (before.version === rule.version && books.rules.has(envelope)) return;
  books.rules.set(envelope, rule);
  for (const account of books.accounts.values()) {
    if (account.envelope !== envelope || rule.limit === null) continue;
    const over = account.committed + account.reserved - rule.limit;
    if (over > account.slack) account.slack = over;
  }
}

function settle(books: Books, running: Running, actual: Amounts, timeMs: number): Booking[] {
  giveBack(books, running, timeMs);
  return running.lines.map((line, i) => {
    const amount = BigInt(actual[line.unit]);
    const held = running.held[i]!;
    return book(accountOf(books, line), amount, amount > held ? amount - held : 0n, timeMs);
  });
}

function giveBack(books: Books, running: Running, timeMs: number): void {
  running.lines.forEach((line, i) => {
    const account = accountOf(books, line);
    account.reserved -= running.held[i]!;
    account.touchedAtMs = timeMs;
  });
}

function book(account: Account, delta: bigint, over: bigint, timeMs: number): Booking {
  account.committed += delta;
  account.overrun += over;
  account.slack += over;
  account.isBooked = true;
  account.touchedAtMs = timeMs;
  const { envelope, label, unit } = account;
  return { e: envelope, l: label, u: unit, a: Number(delta), o: Number(over) };
}

function end(
  books: Books,
  running: Running,
  how: Ended['how'],
  charged: Amounts,
  timeMs: number,
): void {
  const { id, signature, lines } = running;
  books.running.delete(id);
  const expiresAtMs = timeMs + TWO_HOURS_MS;
  books.ended.set(id, { how, signature, expiresAtMs, lines, charged, isLateBooked: false });
}

function stamp(books: Books, lines: Booking[], atMs: number): object {
  return { lines, seq: books.seq, epoch: books.epoch, atMs };
}

function endingOf(books: Books, id: string, timeMs: number): string {
  const how = endedAs(books, id, timeMs)?.how;
  if (how === 'voided') return 'released';
  return how === undefined || how === 'refused' ? 'unknown' : how;
}

function greater(left: Amounts, right: Amounts): Amounts {
  const most = { ...left } as Record<Unit, number>;
  for (const unit of UNITS) if (right[unit] > most[unit]) most[unit] = right[unit];
  return most;
}

function areWhole(amounts: Amounts): boolean {
  return UNITS.every((unit) => isWhole(amounts[unit]));
}

function areRight(lines: readonly ReserveLine[]): boolean {
  const keys = lines.map(({ envelope, label }) => `${envelope} ${label}`);
  return (
    lines.length <= 16 &&
    lines.every(({ amount, limit }) => isWhole(amount) && (limit === null || isWhole(limit))) &&
    keys.every((key, i) => i === 0 || keys[i - 1]! < key)
  );
}
