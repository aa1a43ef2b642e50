// Thirty-two clients on four gateways over a Redis to which everything happens that can happen, and
// an auditor who reads along on the wire. In the end every call whose client saw its end must have
// its row, at its price, and rows and ledger must say the same.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '#src/drivers/database.js';
import { loadScripts } from '#src/drivers/scripts.js';
import { ledgerKeys } from '#src/stores/ledger/keys.js';
import { Violation } from '../model/auditor.js';
import { Random } from '../model/random.js';
import { World } from '../model/world.js';
import { type TestLog, testLog } from '../support/log.js';
import { WireAuditor } from './auditor.js';
import { act, type Calls } from './calls.js';
import { commandReader } from './commands.js';
import { type Dump, dumpOf } from './dump.js';
import { FAULTS, type Fault, inject } from './faults.js';
import { type Gateway, LEASE_MS, openGateway } from './gateway.js';
import { openProxy, type Told } from './proxy.js';
import { rowsAgainst } from './rows.js';
import { RedisOnTrial } from './server.js';

export interface FaultRunOptions {
  seed: number;
  operations: number;
  faults: number;
  folder: string;
  /** Migrated, and nobody else's. */
  database: Database;
  progress?: (faults: number, operations: number) => void;
}

export interface FaultReport {
  counts: ReadonlyMap<string, number>;
  faults: ReadonlyMap<Fault, number>;
  figures: readonly (readonly [name: string, value: number])[];
}

const GATEWAYS = 4;
const CLIENTS = 8;
const DAY_MS = 86_400_000;
const OPEN_WITHIN_MS = 20_000;
const QUIET_WITHIN_MS = 60_000;
const LOOK_TRIES = 500;
const WORKERS_EVERY_MS = 40;
const CALM_MS = 120;

export async function runFaults(options: FaultRunOptions): Promise<FaultReport> {
  const run = await FaultRun.start(options);
  try {
    return await run.all();
  } finally {
    await run.end();
  }
}

export class FaultRun {
  readonly random: Random;
  readonly auditor: WireAuditor;
  readonly server: RedisOnTrial;
  readonly gateways: Gateway[] = [];
  readonly keys = ledgerKeys();
  readonly log: TestLog = testLog();
  readonly #options: FaultRunOptions;
  readonly #calls: Calls;
  readonly #loops: Promise<void>[] = [];
  readonly #listeners = new Set<(told: Told) => void>();
  readonly #done = new Map<Fault, number>();
  #isPaused = false;
  #isOver = false;
  #active = 0;
  #failure: unknown;
  #slowestOpenMs = 0;

  private constructor(options: FaultRunOptions, server: RedisOnTrial) {
    this.#options = options;
    this.server = server;
    this.random = new Random(options.seed);
    const prefix = (options.seed >>> 0).toString(16).padStart(8, '0');
    const world = new World(this.random, prefix);
    this.#calls = { random: this.random, world, acknowledged: new Map(), sent: new Set() };
    this.auditor = new WireAuditor(commandReader(loadScripts()));
  }

  static async start(options: FaultRunOptions): Promise<FaultRun> {
    mkdirSync(options.folder, { recursive: true });
    const server = await RedisOnTrial.start(join(options.folder, 'redis'));
    const run = new FaultRun(options, server);
    try {
      await Promise.all(Array.from({ length: GATEWAYS }, (_, number) => run.#open(number)));
    } catch (error) {
      await run.end();
      throw error;
    }
    return run;
  }

  async #open(number: number): Promise<void> {
    const { database, folder } = this.#options;
    const proxy = await openProxy({
      ...{ gateway: number, redisPort: this.server.port },
      told: (what) => this.#hear(what),
      strikes: (command, fault) => this.strikes(command, fault),
      overtaken: (command) => this.#released(command),
    });
    const skewMs = [0, DAY_MS, -DAY_MS, -3_600_000][number] ?? 0;
    // Now and then a batch takes longer than a lease: a rebuild does not wait for it.
    const slownessMs = (): number => {
      const isSlow = !this.#isOver && this.random.chance(0.1);
      return isSlow ? this.random.whole(0, 3 * LEASE_MS) : 0;
    };
    const parts = { number, proxy, database, folder, skewMs, log: this.log, slownessMs };
    this.gateways.push(await openGateway({ ...parts, scripts: loadScripts() }));
  }

  async all(): Promise<FaultReport> {
    const { operations, faults, progress } = this.#options;
    for (const gateway of this.gateways) this.#begin(gateway);
    const plan = planOf(faults, this.random);
    for (const [i, fault] of plan.entries()) {
      await this.#untilHeard((operations * i) / plan.length);
      await inject(this, fault);
      this.#done.set(fault, (this.#done.get(fault) ?? 0) + 1);
      this.#check();
      progress?.(i + 1, this.auditor.figures.replayed);
    }
    await this.#untilHeard(operations);
    await this.look();
    return this.#settle();
  }

  /** Clients, beats and reapers stand still; what they had begun has ended. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    const untilMs = performance.now() + QUIET_WITHIN_MS;
    while (this.#active > 0) {
      if (performance.now() > untilMs) throw new Violation('a client never came back', 0);
      await wait(2);
    }
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Holds all that Redis has against the books, while the clients stand still. */
  async look(): Promise<void> {
    await this.pause();
    let dump: Dump | undefined;
    for (let tries = 0; ; tries += 1) {
      dump = await dumpOf(this.server.redis, this.keys);
      const isWhole = this.auditor.settle();
      if (dump && isWhole && this.auditor.isCaughtUp(dump)) break;
      if (tries > LOOK_TRIES) {
        const { epoch, seq } = this.auditor.books;
        const errors = [...this.auditor.errors].join('; ');
        const told = `Redis is at ${dump?.epoch}, ${dump?.seq}, the books at ${epoch}, ${seq}`;
        throw new Violation(`${told}; errors: ${errors}`, this.auditor.figures.replayed);
      }
      await wait(10);
    }
    this.auditor.compare(dump);
    this.resume();
  }

  /** Kills Redis under way, lets `meanwhile` happen to what is on disk, and looks what came back. */
  async crash(meanwhile: () => void, options: readonly string[] = []): Promise<void> {
    await this.server.isSettled();
    await this.server.kill();
    await Promise.all(this.gateways.map(({ proxy }) => proxy.close()));
    meanwhile();
    await this.server.restart(options);
    const dump = await dumpOf(this.server.redis, this.keys, this.auditor.unanswered());
    // The auditor knows no limits of a ledger that is lost.
    if (dump?.epoch === undefined) await this.server.redis.command('del', this.keys.limits);
    this.auditor.restarted(dump!);
    for (const { proxy } of this.gateways) proxy.open();
    await this.untilOpen();
  }

  /** Every gateway is admitted again. */
  async untilOpen(): Promise<void> {
    const startedMs = performance.now();
    const isOpen = async ({ ledger }: Gateway): Promise<boolean> =>
      (await ledger.state().catch(() => undefined))?.open ?? false;
    while (!(await Promise.all(this.gateways.map(isOpen))).every(Boolean)) {
      this.#check();
      if (performance.now() - startedMs > OPEN_WITHIN_MS) {
        const told = JSON.stringify(this.log.lines.slice(-20));
        throw new Violation(`the ledger stays closed: ${told}`, this.auditor.figures.replayed);
      }
      await wait(10);
    }
    this.#slowestOpenMs = Math.max(this.#slowestOpenMs, performance.now() - startedMs);
    await wait(CALM_MS);
  }

  /** Which verb a fault on the wire is after. */
  wanted: readonly string[] = [];

  strikes(command: readonly string[], fault: string): boolean {
    const asked = this.#read(command);
    if (!asked?.operation) return false;
    if (fault === 'delivered late') return asked.script === 'reserve';
    return this.wanted.includes(asked.script);
  }

  readonly #read = commandReader(loadScripts());

  #hear(told: Told): void {
    try {
      this.auditor.hear(told);
    } catch (error) {
      this.#failure ??= error;
    }
    for (const listener of this.#listeners) listener(told);
  }

  // The release of the same id has been answered; or nobody released it, and it comes all the same.
  #released(command: readonly string[]): Promise<void> {
    const id = this.#read(command)!.args[2];
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
        resolve();
      };
      const listener = ({ command: other, reply }: Told): void => {
        const asked = this.#read(other);
        if (asked?.script === 'release' && asked.args[2] === id && reply !== undefined) done();
      };
      const timer = setTimeout(done, 1500);
      this.#listeners.add(listener);
    });
  }

  #begin(gateway: Gateway): void {
    for (let client = 0; client < CLIENTS; client += 1) {
      this.#loop(() => act(gateway, this.#calls));
    }
    this.#loop(() => tolerated(gateway.beat()), WORKERS_EVERY_MS);
    this.#loop(() => tolerated(gateway.sweep()), WORKERS_EVERY_MS);
  }

  #loop(step: () => Promise<void>, pauseMs = 0): void {
    const go = async (): Promise<void> => {
      while (!this.#isOver) {
        if (this.#isPaused) {
          await wait(3);
          continue;
        }
        this.#active += 1;
        try {
          await step();
        } catch (error) {
          this.#failure ??= error;
          this.#isOver = true;
        } finally {
          this.#active -= 1;
        }
        await wait(pauseMs);
      }
    };
    this.#loops.push(go());
  }

  async #untilHeard(operations: number): Promise<void> {
    const heard = (): number =>
      [...this.auditor.counts.values()].reduce((sum, one) => sum + one, 0);
    while (heard() < operations) {
      this.#check();
      await wait(20);
    }
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
  }

  // Nobody calls any more: what is held is reaped, what is kept is drained, and all is compared.
  async #settle(): Promise<FaultReport> {
    await this.pause();
    const untilMs = performance.now() + QUIET_WITHIN_MS;
    const [first] = this.gateways as [Gateway];
    for (;;) {
      for (const gateway of this.gateways) await tolerated(gateway.sweep());
      const held = (await first.ledger.state().catch(() => undefined))?.held ?? 1;
      const kept = this.gateways.reduce((sum, { spool }) => sum + spool.state().pendingEvents, 0);
      const waiting = Number(await this.server.redis.command('xlen', this.keys.outbox));
      if (held + kept + waiting === 0) break;
      if (performance.now() > untilMs) {
        const told = JSON.stringify(this.log.lines.slice(-12));
        throw new Violation(`left: ${held} holds, ${kept} kept, ${waiting} waiting; ${told}`, 0);
      }
      await wait(50);
    }
    this.resume();
    this.#isOver = true;
    await Promise.all(this.#loops);
    this.auditor.settle();
    const { database } = this.#options;
    const { acknowledged, sent } = this.#calls;
    const { rows, wrong } = await rowsAgainst(database, first.ledger, { acknowledged, sent });
    const dead = this.gateways.flatMap((gateway) => gateway.dead());
    if (dead.length > 0) wrong.push(`SQL would not take ${JSON.stringify(dead[0])}`);
    if (wrong.length > 0) {
      const traced = wrong.slice(0, 5).map((one) => {
        const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(one)?.[0] ?? '';
        return `${one}: ${this.auditor.trace.get(id)?.join(', ')}`;
      });
      throw new Violation(traced.join('\n'), 0);
    }
    const { replayed, guessed } = this.auditor.figures;
    return {
      counts: this.auditor.counts,
      faults: this.#done,
      figures: [
        ['answers audited on the wire', replayed],
        ['mutations that Redis did and never answered, found by trying', guessed],
        ['calls whose client saw the end', acknowledged.size],
        ['rows', rows],
        ['epochs begun', this.auditor.books.epoch],
        ['longest until every gateway was admitted again, ms', Math.round(this.#slowestOpenMs)],
      ],
    };
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.resume();
    await Promise.all(this.#loops);
    await Promise.all(this.gateways.map((gateway) => gateway.close()));
    await this.server.kill();
  }
}

/** All kinds alike, in a random order. */
function planOf(count: number, random: Random): Fault[] {
  const plan = Array.from({ length: count }, (_, i) => FAULTS[i % FAULTS.length]!);
  for (let i = plan.length - 1; i > 0; i -= 1) {
    const other = random.whole(0, i);
    [plan[i], plan[other]] = [plan[other]!, plan[i]!];
  }
  return plan;
}

async function tolerated(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if ((error as Error).name !== 'LedgerUnavailable') throw error;
  });
}
