// One mutant against everything that Redis guarantees: a fresh subject for each guarantee, several
// at a time; the first that fails kills it.

import assert from 'node:assert/strict';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadScripts, type Scripts } from '#src/drivers/scripts.js';
import { LEDGER_CONTRACT } from '../contract/ledger-contract.js';
import { BESIDE } from '../contract/redis/beside.js';
import { EDGES } from '../contract/redis/edges.js';
import { HISTORIES } from '../contract/redis/histories.js';
import { LIFETIMES } from '../contract/redis/lifetimes.js';
import { RAW_ARGUMENTS } from '../contract/redis/raw-arguments.js';
import { REAPING } from '../contract/redis/reaping.js';
import { STARTS } from '../contract/redis/starts.js';
import { UNREADABLE } from '../contract/redis/unreadable.js';
import { REDIS_ONLY } from '../contract/redis-only.js';
import { openRedisSubject, type RedisSubject } from '../contract/redis-subject.js';

import type { Mutant } from './mutants.js';

// Where no message is given, Node reads the caller's source to make one, and takes minutes over the
// long lines that tsx makes of a file. Here a failure is enough.
Object.assign(assert, {
  ok(value: unknown, message?: string) {
    if (!value) throw new Error(message ?? 'not so');
  },
});

const AT_ONCE = 12;
const GUARANTEE_MS = 20_000;

interface Trial {
  name: string;
  check(subject: RedisSubject): Promise<void>;
}

/** Every guarantee that Redis gives, by name. */
export function allTrials(): Trial[] {
  const groups = (record: object): Trial[] =>
    Object.values(record).flatMap((answers: object) =>
      Object.values(answers).flatMap((list: 'redis only' | (Trial & { where?: string })[]) =>
        list === 'redis only' ? [] : list.filter(({ where }) => where !== 'memory only'),
      ),
    );
  const { verbs, reads, invariants } = LEDGER_CONTRACT;
  return [
    ...groups(verbs),
    ...groups({ reads, invariants }),
    ...groups(REDIS_ONLY),
    ...[
      ...RAW_ARGUMENTS,
      ...LIFETIMES,
      ...BESIDE,
      ...EDGES,
      ...REAPING,
      ...UNREADABLE,
      ...STARTS,
      ...HISTORIES,
    ],
  ];
}

export interface Verdict {
  /** The guarantee that failed; undefined where the mutant lives. */
  killedBy?: string;
  why?: string;
}

/** Tries them in this order, so the likeliest to fail should come first. */
export async function tryScripts(
  url: string,
  scripts: Scripts,
  trials: readonly Trial[],
): Promise<Verdict> {
  let next = 0;
  let verdict: Verdict = {};
  const work = async (): Promise<void> => {
    while (verdict.killedBy === undefined) {
      const trial = trials[next++];
      if (!trial) return;
      let failure = await failureOf(url, scripts, trial);
      // A busy machine is no killer: what fails, fails twice.
      if (failure !== undefined) failure = await failureOf(url, scripts, trial);
      if (failure !== undefined) verdict = { killedBy: trial.name, why: failure };
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return verdict;
}

async function failureOf(url: string, scripts: Scripts, trial: Trial): Promise<string | undefined> {
  let subject: RedisSubject | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('too late')), GUARANTEE_MS);
    });
    const run = async (): Promise<void> => {
      subject = await openRedisSubject({ urls: [url], scripts });
      await trial.check(subject);
      await assertReserved(subject);
    };
    await Promise.race([run(), late]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split('\n')[0] : String(error);
  } finally {
    clearTimeout(timer);
    await subject?.stop();
  }
}

// RESERVED after every trial, as the contract has it.
async function assertReserved({ ledger }: RedisSubject): Promise<void> {
  const { holds } = await ledger.holds({ offset: 0, limit: 1000 });
  const sums = new Map<string, number>();
  for (const line of holds.flatMap(({ lines }) => lines)) {
    const key = ledger.keys.counter(line.envelope, line.label);
    sums.set(key, (sums.get(key) ?? 0) + line.amount);
  }
  for (const line of holds.flatMap(({ lines }) => lines)) {
    const [balance] = await ledger.balances([line]);
    const sum = sums.get(ledger.keys.counter(line.envelope, line.label));
    if (balance?.reserved !== sum) throw new Error('RESERVED: not the sum of open holds');
  }
}

/** The scripts with one file changed; `folder` is this trial's own. */
export function scriptsWith(lua: string, folder: string, mutant: Mutant): Scripts {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(lua, folder, { recursive: true });
  writeFileSync(join(folder, mutant.file), mutant.text);
  return loadScripts(folder);
}
