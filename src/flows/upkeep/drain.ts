// From the spool into SQL, batch after batch, as long as there is something. While SQL is away it
// waits longer and longer, with jitter; the spool keeps what is not recorded, so nothing is lost.
// Calls come first: it lets a batch grow, and takes its time while the loop has none.

import type { Clock } from '../../core/clock.js';
import { randomShare } from '../../core/id.js';
import type { Log } from '../../core/log.js';
import type { DrainBatch, DrainSource } from '../../stores/spool.js';
import { SealedSince } from '../../stores/usage/record.js';
import type { Recorder } from '../../stores/usage/recorder.js';

export interface DrainOptions {
  spool: DrainSource;
  recorder: Recorder;
  clock: Clock;
  log: Log;
  /** Events a transaction; the statements are made for up to 1,000. */
  batchMax: number;
  retryMinMs: number;
  retryMaxMs: number;
  /** Absent: whatever is there is taken at once. */
  pace?: DrainPace;
  /** Ends the process here if a test asked for it. */
  failpoint?: (name: string) => void;
}

/** How the drain makes room for calls, unless somebody waits for the rows. */
export interface DrainPace {
  /** How long a batch that is not full may grow. */
  lingerMs: number;
  /** Whether the loop has hardly any time left. */
  isBusy(): boolean;
  /** From batch to batch while it is. */
  busyEveryMs: number;
  /** A backlog above this is drained as fast as it goes. */
  backlogBytesMax: number;
}

/** Figures for gauges and for `/readyz`. */
export interface DrainState {
  pendingEvents: number;
  pendingBytes: number;
  inserted: number;
  duplicates: number;
  setAside: number;
  /** Failures in a row; 0: SQL answers. */
  failures: number;
  lastError: string | undefined;
}

export interface Drain {
  start(): void;
  /** Ends after the batch under way. */
  stop(): Promise<void>;
  /** Resolves once nothing waits: everything that had ended by then is in SQL. */
  idle(): Promise<void>;
  state(): DrainState;
}

export function createDrain(options: DrainOptions): Drain {
  return new RunningDrain(options);
}

class RunningDrain implements Drain {
  readonly #options: DrainOptions;
  #running: Promise<void> | undefined;
  #stopped = false;
  #news = false;
  #wake = () => {};
  #hurry = () => {};
  #idle: (() => void)[] = [];
  #counts = { inserted: 0, duplicates: 0, setAside: 0 };
  #failures = 0;
  #lastError: string | undefined;

  constructor(options: DrainOptions) {
    this.#options = options;
    options.spool.onEvent(() => {
      this.#news = true;
      this.#wake();
    });
  }

  start(): void {
    if (this.#running) return;
    this.#stopped = false;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake();
    this.#hurry();
    await this.#running;
    this.#running = undefined;
  }

  idle(): Promise<void> {
    if (this.#options.spool.state().pendingEvents === 0) return Promise.resolve();
    this.#hurry();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  state(): DrainState {
    const { pendingEvents, pendingBytes } = this.#options.spool.state();
    const failures = { failures: this.#failures, lastError: this.#lastError };
    return { pendingEvents, pendingBytes, ...this.#counts, ...failures };
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#news = false;
      await this.#makeRoom();
      try {
        const batch = await this.#options.spool.next(this.#options.batchMax);
        if (batch.events.length > 0) await this.#record(batch);
        else await this.#sleepUntilNews();
      } catch (error) {
        if (error instanceof SealedSince) this.#overtaken(error);
        else await this.#backOff(error);
      }
    }
  }

  async #makeRoom(): Promise<void> {
    const { clock } = this.#options;
    const pauseMs = this.#pauseMs();
    if (pauseMs === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(pauseMs, resolve);
      this.#hurry = () => {
        cancel();
        resolve();
      };
    });
    this.#hurry = () => {};
  }

  #pauseMs(): number {
    const { pace, spool, batchMax } = this.#options;
    if (!pace || this.#stopped || this.#idle.length > 0) return 0;
    const { pendingEvents, pendingBytes } = spool.state();
    if (pendingEvents === 0) return 0;
    if (pace.isBusy() && pendingBytes < pace.backlogBytesMax) return pace.busyEveryMs;
    return pendingEvents < batchMax ? pace.lingerMs : 0;
  }

  async #record(batch: DrainBatch): Promise<void> {
    const result = await this.#options.recorder.record(batch.events, batch.sealedEpoch);
    this.#options.failpoint?.('post_pg_commit');
    this.#options.spool.drained(batch);
    this.#counts.inserted += result.inserted;
    this.#counts.duplicates += result.duplicates;
    this.#counts.setAside += result.setAside;
    if (this.#failures > 0) {
      this.#options.log.info({ failures: this.#failures }, 'the drain is back');
      this.#failures = 0;
      this.#lastError = undefined;
    }
    if (result.setAside > 0) {
      const fields = { events: result.setAside };
      this.#options.log.error(fields, 'SQL refused usage events: they are set aside');
    }
    this.#tellIdle();
  }

  // The outbox that had them is gone; each is kept by the spool of the gateway that made the call.
  #overtaken(error: SealedSince): void {
    const fields = { reason: error.message };
    this.#options.log.warn(fields, 'a rebuild of the ledger overtook a batch: it is not recorded');
  }

  #tellIdle(): void {
    if (this.#options.spool.state().pendingEvents > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  async #sleepUntilNews(): Promise<void> {
    this.#tellIdle();
    if (this.#news || this.#stopped) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = () => {};
  }

  async #backOff(error: unknown): Promise<void> {
    const { clock, log, retryMinMs, retryMaxMs } = this.#options;
    this.#failures += 1;
    this.#lastError = error instanceof Error ? error.message : String(error);
    if (this.#failures === 1) log.warn({ err: error }, 'the drain cannot reach SQL');
    if (this.#stopped) return;
    const mostMs = Math.min(retryMaxMs, retryMinMs * 2 ** (this.#failures - 1));
    // News must not cut the pause short, or every call would knock at a database that is away.
    await new Promise<void>((resolve) => {
      const cancel = clock.after(mostMs / 2 + (randomShare() * mostMs) / 2, resolve);
      this.#wake = () => {
        if (!this.#stopped) return;
        cancel();
        resolve();
      };
    });
    this.#wake = () => {};
  }
}
