// Random histories: what 32 clients could do to one ledger, and what they should not. Each next
// step builds on what earlier replies said, so that every answer is met often; duplicates, late
// and early messages are steps like any other.

import type { Amounts } from '#src/core/amount.js';
import type { ReserveLine } from '#src/core/line.js';
import type { FinalizeRequest, OneBeat, ReserveRequest } from '#src/stores/ledger/ledger.js';
import type { Entry, Operation } from './history.js';
import { Random } from './random.js';
import { spoilt } from './spoil.js';
import { World } from './world.js';

const OPEN = {
  reserve: 25,
  again: 4,
  conflict: 2,
  extend: 9,
  beat: 11,
  finalize: 17,
  finalizeAgain: 3,
  release: 6,
  releaseAgain: 4,
  voided: 3,
  reap: 6,
  adjust: 3,
  adjustAgain: 1,
  setLimits: 4,
  restore: 0.3,
  spoil: 5,
};
type Step = keyof typeof OPEN;

/** While admission is closed. */
const CLOSED: Record<Step, number> = {
  ...{ ...OPEN, restore: 50, reserve: 12, extend: 12 },
  ...{ beat: 14, finalize: 14, reap: 14, adjust: 14 },
};

const ZERO: Amounts = { nano_usd: 0, tokens: 0, requests: 0, concurrency: 0 };
const REMEMBERED = 400;
const HALF_A_DAY_MS = 43_200_000;

export class Generator {
  readonly random: Random;
  readonly #world: World;
  readonly #prefix: string;
  /** Believed to be running, with their requests. */
  readonly #running: { id: string; lines: readonly ReserveLine[] }[] = [];
  /** Ids that were let go of: ended, refused, voided, or nothing at all. */
  readonly #past: string[] = [];
  readonly #requests: ReserveRequest[] = [];
  readonly #adjusts: (Operation & { verb: 'adjust' })[] = [];
  readonly #voided: string[] = [];
  readonly #reaped: string[] = [];
  /** Ids that the ledger itself listed as overdue. */
  #due: readonly string[] = [];
  #made = 0;
  #nowMs = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    this.#prefix = (seed >>> 0).toString(16).padStart(8, '0');
    this.#world = new World(this.random, this.#prefix);
  }

  next(client: number, nowMs: number, isOpen: boolean): Operation {
    // Nobody repeats a call of days ago, whose labels the ledger may have dropped.
    if (nowMs - this.#nowMs > HALF_A_DAY_MS) {
      this.#requests.length = 0;
      this.#adjusts.length = 0;
    }
    this.#nowMs = nowMs;
    const step = this.random.weighted(isOpen ? OPEN : CLOSED);
    const operation = this.#step(step, client, nowMs);
    if (operation.verb === 'reserve') push(this.#requests, operation.request);
    return operation;
  }

  /** What a reaper read. */
  listed(due: readonly string[]): void {
    this.#due = due;
  }

  /** What a client learns from a reply. */
  learn({ operation, reply }: Entry): void {
    for (const balance of reply.balances) this.#world.seen(balance as Record<string, unknown>);
    if (operation.verb === 'reserve' && reply.answer === 'RESERVED') {
      this.#running.push(operation.request);
    }
    if (operation.verb === 'restore' && reply.answer === 'RESTORED') {
      const { request } = operation;
      if (request.what === 'hold') this.#running.push(request.hold);
    }
    for (const { id, answer } of (reply.results ?? []) as { id: string; answer: string }[]) {
      if (answer === 'REAPED') push(this.#reaped, id);
    }
    if (reply.answer === 'VOIDED_AHEAD') push(this.#voided, operation.request as string);
  }

  #step(step: Step, client: number, nowMs: number): Operation {
    const { random } = this;
    switch (step) {
      case 'reserve':
        return this.#reserve(client, nowMs);
      case 'again':
        return this.#requests.length === 0
          ? this.#reserve(client, nowMs)
          : { verb: 'reserve', request: random.one(this.#requests) };
      case 'conflict': {
        const { request } = this.#reserve(client, nowMs);
        return { verb: 'reserve', request: { ...request, id: this.#anyId(nowMs) } };
      }
      case 'extend':
        return this.#extend(nowMs);
      case 'beat':
        return this.#beat(client, nowMs);
      case 'finalize':
        return this.#finalize(this.#endOne(nowMs));
      case 'finalizeAgain':
        return this.#finalize(this.#reapedOr(this.#pastId(nowMs)));
      case 'release':
        return { verb: 'release', request: this.#endOne(nowMs) };
      case 'releaseAgain':
        return { verb: 'release', request: this.#reapedOr(this.#pastId(nowMs)) };
      case 'voided':
        return this.#voidedAhead(client, nowMs);
      case 'reap':
        return { verb: 'reap', request: this.#overdue(nowMs) };
      case 'adjust':
        return this.#adjust(nowMs);
      case 'adjustAgain':
        return this.#adjusts.length === 0 ? this.#adjust(nowMs) : random.one(this.#adjusts);
      case 'setLimits':
        return this.#setLimits();
      case 'restore':
        return this.#restore(client, nowMs);
      case 'spoil':
        return this.#spoil(client, nowMs);
    }
  }

  #reserve(client: number, nowMs: number): Operation & { verb: 'reserve' } {
    const id = this.#newId(nowMs);
    const lines = this.#world.lines(nowMs);
    const owner = `gateway-${client % 4}`;
    const request = { id, owner, lines, leaseMs: this.#leaseMs(), stub: this.#stub(client, nowMs) };
    return { verb: 'reserve', request };
  }

  #extend(nowMs: number): Operation {
    const { random } = this;
    const id = random.chance(0.93) ? this.#runningId(nowMs) : this.#anyId(nowMs);
    const { nano_usd, tokens } = this.#world.amounts();
    const times = random.chance(0.2) ? 20 : 1;
    const spend = { nano_usd: nano_usd * times, tokens: tokens * times };
    const more = random.chance(0.5) ? ZERO : { ...ZERO, ...spend };
    return { verb: 'extend', request: { id, more, leaseMs: this.#leaseMs() } };
  }

  #beat(client: number, nowMs: number): Operation {
    const { random } = this;
    const count = random.chance(0.05) ? 64 : random.whole(0, 5);
    const ids = new Set(
      Array.from({ length: count }, () =>
        random.chance(0.9) ? this.#runningId(nowMs) : this.#anyId(nowMs),
      ),
    );
    const beats = [...ids].map((id) => this.#oneBeat(id));
    const leaseMs = this.#leaseMs();
    return { verb: 'beat', request: { owner: `gateway-${client % 4}`, leaseMs, beats } };
  }

  // Some are renewed, some are sent just now, and of some both is told at once.
  #oneBeat(id: string): OneBeat {
    const { random } = this;
    const seen = random.chance(0.5) ? ZERO : this.#world.amounts();
    if (random.chance(0.4)) return { id, seen };
    return { id, seen, sent: { floor: this.#world.amounts() } };
  }

  #finalize(id: string): Operation {
    const actual = { ...this.#world.amounts(), concurrency: 0 };
    // A whole event would only make the auditor slower: the ledger passes it on as it is.
    const event = { id, stub: {} } as unknown as FinalizeRequest['event'];
    return { verb: 'finalize', request: { id, actual, event } };
  }

  // First the release and then, often in the same breath, the reserve that it overtook.
  #voidedAhead(client: number, nowMs: number): Operation {
    if (this.#voided.length === 0 || this.random.chance(0.5)) {
      return { verb: 'release', request: this.#newId(nowMs) };
    }
    const { request } = this.#reserve(client, nowMs);
    return { verb: 'reserve', request: { ...request, id: this.random.one(this.#voided) } };
  }

  #overdue(nowMs: number): string[] {
    if (this.random.chance(0.4)) return this.#due.slice(0, this.random.whole(0, 64));
    const count = this.random.chance(0.05) ? 64 : this.random.whole(0, 6);
    return Array.from({ length: count }, () =>
      this.random.chance(0.8) ? this.#runningId(nowMs) : this.#anyId(nowMs),
    );
  }

  #adjust(nowMs: number): Operation & { verb: 'adjust' } {
    const { random } = this;
    const id = this.#newId(nowMs);
    const lines = this.#world.lines(nowMs).map(({ envelope, label, unit, amount }) => {
      const signed = random.chance(0.7) ? -1 - random.whole(0, 3 * amount) : amount;
      return { envelope, label, unit, amount: signed };
    });
    const event = { id, kind: 'adjust', stub: {}, reason: 'by chance' } as never;
    const operation = { verb: 'adjust', request: { id, lines, event } } as const;
    push(this.#adjusts, operation);
    return operation;
  }

  #setLimits(): Operation {
    const { random } = this;
    const settings = Array.from({ length: random.whole(1, 3) }, () =>
      random.chance(0.7)
        ? this.#world.retune()
        : random.one(random.one(this.#world.places).settings),
    );
    const byEnvelope = new Map(settings.map((setting) => [setting.envelope, setting]));
    return { verb: 'setLimits', request: [...byEnvelope.values()] };
  }

  #restore(client: number, nowMs: number): Operation {
    const { random } = this;
    if (random.chance(0.5)) {
      const fresh = random.chance(0.6);
      const envelope = `limit:${this.#prefix}-r${fresh ? this.#count() : random.whole(0, 50)}`;
      const key = { envelope, label: 'ever', unit: 'nano_usd' } as const;
      const figures = { committed: random.whole(0, 900), overrun: random.whole(0, 9), adjusted: 0 };
      return { verb: 'restore', request: { what: 'counters', ...key, ...figures } };
    }
    const { id, owner, lines, leaseMs, stub } = this.#reserve(client, nowMs).request;
    const phase = random.chance(0.5) ? 'sent' : 'held';
    const spend = { floor: this.#world.amounts(), seen: this.#world.amounts() };
    const known = random.chance(0.4) ? this.#anyId(nowMs) : id;
    const lease = { leaseEndsAtMs: nowMs + leaseMs, stub };
    const hold = { id: known, owner, phase, lines, ...spend, ...lease } as const;
    return { verb: 'restore', request: { what: 'hold', hold } };
  }

  #spoil(client: number, nowMs: number): Operation {
    const steps = ['reserve', 'extend', 'beat', 'finalize', 'release', 'reap'] as const;
    const others = ['adjust', 'setLimits', 'restore'] as const;
    const step = this.random.one([...steps, ...others]);
    return spoilt(this.#step(step, client, nowMs), this.random);
  }

  #runningId(nowMs: number): string {
    return this.#running.length === 0 ? this.#newId(nowMs) : this.random.one(this.#running).id;
  }

  /** A running one, which from now on counts as past: some client is ending it. */
  #endOne(nowMs: number): string {
    const running = this.#running;
    if (running.length === 0) return this.#anyId(nowMs);
    const at = this.random.whole(0, running.length - 1);
    const { id } = running[at]!;
    running[at] = running[running.length - 1]!;
    running.pop();
    push(this.#past, id);
    return id;
  }

  #pastId(nowMs: number): string {
    return this.#past.length === 0 ? this.#newId(nowMs) : this.random.one(this.#past);
  }

  #reapedOr(id: string): string {
    const isReaped = this.#reaped.length > 0 && this.random.chance(0.3);
    return isReaped ? this.random.one(this.#reaped) : id;
  }

  #anyId(nowMs: number): string {
    switch (this.random.whole(0, 3)) {
      case 0:
        return this.#newId(nowMs);
      case 1:
        return this.#pastId(nowMs);
      case 2:
        return this.#requests.length > 0 ? this.random.one(this.#requests).id : this.#newId(nowMs);
      default:
        return this.#runningId(nowMs);
    }
  }

  #leaseMs(): number {
    if (this.random.chance(0.3)) return 40;
    return this.random.chance(0.5) ? 200 : this.random.whole(1000, 60_000);
  }

  #stub(client: number, nowMs: number): string {
    // Each client's own clock is off by up to a day: the ledger must not care.
    const skewMs = (client - 16) * 5_400_000;
    return JSON.stringify({ attribution: {}, startedAtMs: nowMs + skewMs, model: 'm' });
  }

  #count(): number {
    this.#made += 1;
    return this.#made;
  }

  /** A UUIDv7 of ledger time, with a number for its random part. */
  #newId(nowMs: number): string {
    const time = nowMs.toString(16).padStart(12, '0');
    const count = this.#count().toString(16).padStart(12, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${this.#prefix.slice(0, 3)}-8000-${count}`;
  }
}

function push<T>(list: T[], value: T): void {
  list.push(value);
  if (list.length > REMEMBERED) list.splice(0, list.length / 2);
}
