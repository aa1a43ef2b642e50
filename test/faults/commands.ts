// What a command on the wire asks of the ledger, read from the scripts' own headers and not from
// the code that writes it.

import type { Amounts, Unit } from '#src/core/amount.js';
import type { ReserveLine } from '#src/core/line.js';
import type { Scripts } from '#src/drivers/scripts.js';
import type { Operation } from '../model/history.js';

/** A script as it was called; `operation` where it is a verb of the ledger. */
export interface Asked {
  script: string;
  keys: readonly string[];
  args: readonly string[];
  /** The fence: the caller's epoch, the highest seq it had seen, its own last one, its name. */
  epoch: number;
  seen: number;
  own: number;
  caller: string;
  operation?: Operation;
  /** reap: how many counters each reservation was declared with. */
  places?: readonly number[];
}

const UNIT_OF: Record<string, Unit> = {
  n: 'nano_usd',
  t: 'tokens',
  r: 'requests',
  c: 'concurrency',
};

export type ReadCommand = (command: readonly string[]) => Asked | undefined;

export function commandReader(scripts: Scripts): ReadCommand {
  const names = new Map<string, string>();
  for (const [name, { sha, text }] of Object.entries(scripts)) names.set(sha, name).set(text, name);
  return ([verb, script = '', count = '0', ...rest]) => {
    const name = names.get(script);
    if (!/^eval(sha)?$/i.test(verb ?? '') || name === undefined) return undefined;
    const keys = rest.slice(0, Number(count));
    const args = rest.slice(Number(count));
    const [seen, own, caller = ''] = (args[1] ?? '').split(' ');
    const fence = { epoch: Number(args[0]), seen: Number(seen), own: Number(own), caller };
    const asked = { script: name, keys, args, ...fence };
    const operation = operationOf(name, keys, args);
    if (!operation) return asked;
    return { ...asked, operation, ...(name === 'reap' && { places: placesOf(keys.length, args) }) };
  };
}

function operationOf(
  name: string,
  names: readonly string[],
  args: readonly string[],
): Operation | undefined {
  const keys = names.length;
  const at = (i: number): string => args[i - 1] ?? '';
  switch (name) {
    case 'reserve': {
      const lines = linesOf(at(7), args.slice(8 + keys - 5, 8 + 2 * (keys - 5)));
      const rest = { owner: at(4), lines, leaseMs: Number(at(5)), stub: at(6) };
      return { verb: 'reserve', request: { id: at(3), ...rest } };
    }
    case 'extend': {
      const more = amountsAt(args, 5);
      return { verb: 'extend', request: { id: at(3), more, leaseMs: Number(at(4)) } };
    }
    case 'beat': {
      const beats = Array.from({ length: keys - 2 }, (_, i) => {
        const [id, seen, floor] = args.slice(3 + 3 * i, 6 + 3 * i) as [string, string, string];
        const sent = floor === '' ? {} : { sent: { floor: amountsIn(floor) } };
        return { id, seen: amountsIn(seen), ...sent };
      });
      return { verb: 'beat', request: { owner: '', leaseMs: Number(at(3)), beats } };
    }
    case 'finalize':
      return {
        verb: 'finalize',
        request: { id: at(3), actual: amountsAt(args, 4), event: JSON.parse(at(8)) },
      };
    case 'release':
      return { verb: 'release', request: at(3) };
    case 'reap': {
      const [count, m] = [keys - 4 - Number(at(3)), Number(at(3))];
      return {
        verb: 'reap',
        request: Array.from({ length: m }, (_, i) => at(4 + count + 2 * i)),
      };
    }
    case 'adjust': {
      const lines = linesOf(at(5)).map((line, i) => ({ ...line, amount: Number(at(7 + i)) }));
      return { verb: 'adjust', request: { id: at(3), lines, event: JSON.parse(at(4)) } };
    }
    case 'set_limit': {
      const n = (args.length - 2) / 2;
      const settings = Array.from({ length: n }, (_, i) => ({
        envelope: at(3 + i),
        ...limitOf(at(3 + n + i)),
      }));
      return { verb: 'setLimits', request: settings };
    }
    case 'restore':
      return {
        verb: 'restore',
        request: at(3) === 'hold' ? holdOf(keys, args) : counterOf(names[4] ?? '', args),
      };
    default:
      return undefined;
  }
}

type Restored = (Operation & { verb: 'restore' })['request'];

function holdOf(keys: number, args: readonly string[]): Restored {
  const at = (i: number): string => args[i - 1] ?? '';
  const n = keys - 5;
  const told = linesOf(at(9), args.slice(18 + n, 18 + 2 * n));
  const lines = told.map((line, i) => ({ ...line, amount: Number(at(19 + i)) }));
  const spend = { floor: amountsAt(args, 11), seen: amountsAt(args, 15) };
  const phase = at(6) as 'held' | 'sent';
  const rest = { owner: at(5), phase, leaseEndsAtMs: Number(at(7)), stub: at(8), ...spend };
  return { what: 'hold', hold: { id: at(4), lines, ...rest } };
}

// The key of the counter says envelope and label; the argument repeats the envelope.
function counterOf(key: string, args: readonly string[]): Restored {
  const [committed, overrun, adjusted] = args.slice(3, 6).map(Number) as [number, number, number];
  const unit = UNIT_OF[args[6] ?? '']!;
  const rest = { unit, committed, overrun, adjusted };
  return {
    what: 'counters',
    envelope: args[8] ?? '',
    label: key.slice(key.lastIndexOf('|') + 1),
    ...rest,
  };
}

function placesOf(keys: number, args: readonly string[]): number[] {
  const m = Number(args[2]);
  const count = keys - 4 - m;
  return Array.from({ length: m }, (_, i) => {
    const places = args[4 + count + 2 * i] ?? '';
    return places === '' ? 0 : places.split(' ').length;
  });
}

export function linesOf(text: string, limits: readonly string[] = []): ReserveLine[] {
  return (JSON.parse(text) as [string, string, string, number][]).map(
    ([envelope, label, letter, amount], i) => ({
      ...{ envelope, label, unit: UNIT_OF[letter]!, amount },
      ...limitOf(limits[i] ?? '0::b'),
    }),
  );
}

function limitOf(text: string): Pick<ReserveLine, 'limit' | 'mode' | 'version'> {
  const [version, limit, mode] = text.split(':');
  return {
    limit: limit === '' ? null : Number(limit),
    mode: mode === 'w' ? 'warn' : 'block',
    version: Number(version),
  };
}

/** Four amounts from ARGV[first] on, in the order of the scripts: n t r c. */
function amountsAt(args: readonly string[], first: number): Amounts {
  return amountsOf(args.slice(first - 1, first + 3));
}

/** Four amounts in one argument; none where it is empty. */
function amountsIn(text: string): Amounts {
  return amountsOf(text === '' ? ['0', '0', '0', '0'] : text.split(' '));
}

function amountsOf(texts: readonly string[]): Amounts {
  const [nano_usd, tokens, requests, concurrency] = texts.map(Number) as [
    ...[number, number, number, number],
  ];
  return { nano_usd, tokens, requests, concurrency };
}
