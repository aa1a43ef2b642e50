// Lines as Redis has them, and what a verb that ends or extends a hold must know of it: every key
// that a script touches has to be declared, so the lines of open reservations are remembered here.
// What was forgotten or never known comes back from the script itself (its answer KEYS).

import { type Amounts, NOTHING, UNITS, type Unit } from '../../core/amount.js';
import { assert } from '../../core/assert.js';
import type { Balance, Mode } from '../../core/envelope.js';
import { parseOwnJson } from '../../core/json.js';
import { type Argument, Prepared } from '../../drivers/redis-prepared.js';
import { labelEndsBeforeMs } from '../../rules/budget/label-end.js';
import type { LedgerKeys } from './keys.js';
import { Words } from './redis-words.js';

const [DIGIT_MIN, COLON, WARN] = [0x30, 0x3a, 0x77];

export interface LineKey {
  envelope: string;
  label: string;
  unit: Unit;
}

/** Lines without their amounts, in the forms in which scripts want them. */
export interface Pinned {
  readonly lines: readonly LineKey[];
  readonly counters: readonly string[];
  readonly envelopes: readonly string[];
  /** Ends of the labels in ms, '0' for one without. */
  readonly ends: readonly string[];
  /** The three of them again, for what every call sends. */
  readonly prepared: Readonly<Record<'counters' | 'envelopes' | 'ends', Prepared>>;
  /** One letter a line. */
  readonly units: string;
  /** Each line's JSON up to its amount. */
  readonly words: readonly string[];
  /** The limits told last, with their texts. */
  readonly limits: (Limit & { text: string })[];
}

const NONE = new Prepared([]);
export const NO_LINES: Pinned = {
  ...{ lines: [], counters: [], envelopes: [], ends: [], units: '', words: [], limits: [] },
  prepared: { counters: NONE, envelopes: NONE, ends: NONE },
};

const LETTERS: Readonly<Record<Unit, string>> = {
  nano_usd: 'n',
  tokens: 't',
  requests: 'r',
  concurrency: 'c',
};
const UNIT_OF = new Map(UNITS.map((unit) => [LETTERS[unit], unit]));

export function unitOf(letter: string | undefined): Unit {
  return UNIT_OF.get(letter ?? '') ?? 'nano_usd';
}

// Calls of one caller have the same lines but for the amounts, all through a period.
const known = new Map<string, { keys: LedgerKeys; pins: Pinned }>();
const KNOWN_MAX = 1000;

/** What is the same for all reservations of these lines is one object for all of them. */
export function pin(keys: LedgerKeys, lines: readonly LineKey[]): Pinned {
  const [first] = lines;
  if (!first) return NO_LINES;
  const name = `${first.envelope}\n${lines[lines.length - 1]!.envelope}`;
  const found = known.get(name);
  if (found && found.keys === keys && areAlike(found.pins.lines, lines)) return found.pins;
  const pins = pinAnew(keys, lines);
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(name, { keys, pins });
  return pins;
}

function areAlike(left: readonly LineKey[], right: readonly LineKey[]): boolean {
  if (left.length !== right.length) return false;
  for (let i = 0; i < left.length; i++) {
    const [one, other] = [left[i]!, right[i]!];
    if (one.envelope !== other.envelope || one.label !== other.label) return false;
    if (one.unit !== other.unit) return false;
  }
  return true;
}

function pinAnew(keys: LedgerKeys, all: readonly LineKey[]): Pinned {
  const lines = all.map(({ envelope, label, unit }) => ({ envelope, label, unit }));
  const limits = lines.map(() => {
    const none = { version: -1, limit: null, mode: 'block' } as const;
    return { ...none, text: limitText(none) };
  });
  const counters = lines.map(({ envelope, label }) => keys.counter(envelope, label));
  const envelopes = lines.map(({ envelope }) => envelope);
  const ends = lines.map(({ label }) => endOf(label));
  return {
    ...{ lines, counters, envelopes, ends },
    prepared: {
      counters: new Prepared(counters),
      envelopes: new Prepared(envelopes),
      ends: new Prepared(ends),
    },
    units: lines.map(({ unit }) => LETTERS[unit]).join(''),
    words: lines.map(
      ({ envelope, label, unit }) =>
        `[${JSON.stringify(envelope)},${JSON.stringify(label)},"${LETTERS[unit]}",`,
    ),
    limits,
  };
}

// Few labels are current at a time, and reading a date costs more than the rest of a verb.
const endsByLabel = new Map<string, string>();
const LABELS_KEPT_MAX = 1000;

function endOf(label: string): string {
  let end = endsByLabel.get(label);
  if (end === undefined) {
    end = `${labelEndsBeforeMs(label) ?? 0}`;
    if (endsByLabel.size >= LABELS_KEPT_MAX) endsByLabel.clear();
    endsByLabel.set(label, end);
  }
  return end;
}

/** The text by which two reserves of one id are told to be the same: lines and first amounts. */
export function linesText({ words }: Pinned, lines: readonly { amount: number }[]): string {
  let text = '[';
  for (let i = 0; i < lines.length; i++)
    text += `${i > 0 ? ',' : ''}${words[i]}${lines[i]!.amount}]`;
  return `${text}]`;
}

export function readLinesText(text: string): LineKey[] {
  return parseOwnJson<[string, string, string, number][]>(text).map(
    ([envelope, label, letter]) => ({ envelope, label, unit: unitOf(letter) }),
  );
}

export interface Limit {
  version: number;
  limit: number | null;
  mode: Mode;
}

export function limitText({ version, limit, mode }: Limit): string {
  return `${version}:${limit ?? ''}:${mode === 'block' ? 'b' : 'w'}`;
}

/** The texts of the lines' limits; most are those of the call before. */
export function pushLimits(args: Argument[], { limits }: Pinned, lines: readonly Limit[]): void {
  for (let i = 0; i < lines.length; i++) {
    const { version, limit, mode } = lines[i]!;
    let told = limits[i]!;
    if (told.version !== version || told.limit !== limit || told.mode !== mode) {
      told = { version, limit, mode, text: limitText({ version, limit, mode }) };
      limits[i] = told;
    }
    args.push(told.text);
  }
}

/** A limit nobody has told is none, in mode block. */
export function readLimitText(text: string | null | undefined): Limit {
  if (!text) return { version: 0, limit: null, mode: 'block' };
  const [version, limit, mode] = text.split(':');
  return {
    version: Number(version),
    limit: limit === '' ? null : Number(limit),
    mode: mode === 'w' ? 'warn' : 'block',
  };
}

/** The four amounts as arguments, in the order of UNITS. */
export function amountArgs(amounts: Amounts): [string, string, string, string] {
  const { nano_usd, tokens, requests, concurrency } = amounts;
  return [`${nano_usd}`, `${tokens}`, `${requests}`, `${concurrency}`];
}

/** The same in one text, and back. */
export function amountsText(amounts: Amounts): string {
  const { nano_usd, tokens, requests, concurrency } = amounts;
  return `${nano_usd} ${tokens} ${requests} ${concurrency}`;
}

export function readAmounts(text: string | null | undefined): Amounts {
  if (!text) return NOTHING;
  const [nano_usd = 0, tokens = 0, requests = 0, concurrency = 0] = text.split(' ').map(Number);
  return { nano_usd, tokens, requests, concurrency };
}

/** Balances come flat, four words a line; none where the text is empty. Throws at anything else. */
export function readBalances(lines: readonly LineKey[], text: string): Balance[] {
  if (text === '') return [];
  const balances = new Array<Balance>(lines.length);
  const words = new Words(text);
  for (let i = 0; i < lines.length; i++) {
    const { envelope, label, unit } = lines[i]!;
    const committed = words.number();
    const reserved = words.number();
    const overrun = words.number();
    let limit: number | null = null;
    let mode: Mode = 'block';
    // A limit that nobody has told is an empty word.
    if (words.peek() >= DIGIT_MIN) {
      words.number();
      if (words.peek() === COLON) words.at += 1;
      else limit = words.number();
      if (words.peek() === WARN) mode = 'warn';
      words.at += 2;
    } else words.at += 1;
    balances[i] = { envelope, label, unit, limit, mode, committed, reserved, overrun };
  }
  assert(words.at === text.length + 1, 'balances of a reply cannot be read');
  return balances;
}

/** Lines of reservations that this gateway has made or met, until they end. */
export class PinnedLines {
  readonly #byId = new Map<string, Pinned>();
  readonly #most: number;

  constructor(most = 100_000) {
    this.#most = most;
  }

  get(id: string): Pinned {
    return this.#byId.get(id) ?? NO_LINES;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  set(id: string, pinned: Pinned): void {
    this.#byId.set(id, pinned);
    if (this.#byId.size <= this.#most) return;
    // The oldest is the likeliest to have ended elsewhere; if not, the script tells its lines.
    for (const oldest of this.#byId.keys()) {
      this.#byId.delete(oldest);
      break;
    }
  }

  delete(id: string): void {
    this.#byId.delete(id);
  }

  clear(): void {
    this.#byId.clear();
  }
}
