// Records events and never lets one that SQL refuses stand in the way of the others: the batch is
// split until the refused one is alone; it is tried five times in all and then set aside, told,
// and its place in the queue given up. A database that is away is no reason to set anything aside.

import { AssertionError } from '../../core/assert.js';
import type { Clock } from '../../core/clock.js';
import type { UsageEvent } from '../../core/usage-event.js';
import { type Database, sqlState } from '../../drivers/database.js';
import type { Watch } from './alerts.js';
import type { AttributionBook } from './attribution.js';
import { unhurried } from './column-texts.js';
import { type Recorded, recordRows } from './record.js';
import { toRow, type UsageRow } from './row.js';

export interface RecorderOptions {
  database: Database;
  book: AttributionBook;
  /** What is told when a threshold is passed; absent: nothing is. */
  watch?: Watch;
  clock: Clock;
  /** Keeps an event that could not be recorded; resolves when it is durable. */
  setAside: (event: UsageEvent, reason: string) => Promise<void>;
  /** Between the tries of a refused event. */
  retryMs: number;
}

export interface RecorderResult extends Recorded {
  setAside: number;
}

export interface Recorder {
  /**
   * Rejects where the database cannot be asked: nothing is lost, try again. With `sealedEpoch`,
   * what was sealed when these events were taken, it rejects with SealedSince once that moved: the
   * ledger was rebuilt without them meanwhile, and has to book them before they are rows.
   */
  record(events: readonly UsageEvent[], sealedEpoch?: number): Promise<RecorderResult>;
}

interface Refused {
  row: UsageRow;
  error: Error;
}

const TRIES_MAX = 5;
/** So many refused and none accepted: it is the database and not the event. */
const REFUSED_ALONE_MAX = 16;

export function createRecorder(options: RecorderOptions): Recorder {
  const batches = { refusedWhole: 0 };
  return {
    async record(events, sealedEpoch) {
      const result: RecorderResult = { inserted: 0, duplicates: 0, setAside: 0 };
      const rows: UsageRow[] = [];
      const unmade: { event: UsageEvent; error: Error }[] = [];
      await unhurried(events, (event) => {
        const made = rowOrError(event);
        if (made instanceof Error) unmade.push({ event, error: made });
        else rows.push(made);
      });
      for (const { event, error } of unmade) {
        await options.setAside(event, error.message);
        result.setAside += 1;
      }
      const patience = batches.refusedWhole + 1 < TRIES_MAX ? REFUSED_ALONE_MAX : events.length + 1;
      const attempt = new Attempt(options, result, patience, sealedEpoch);
      try {
        await attempt.split(rows);
        batches.refusedWhole = 0;
      } catch (error) {
        if (isRefusal(error)) batches.refusedWhole += 1;
        throw error;
      }
      await attempt.again();
      return result;
    },
  };
}

class Attempt {
  readonly #options: RecorderOptions;
  readonly #result: RecorderResult;
  readonly #patience: number;
  readonly #sealedEpoch: number | undefined;
  #refused: Refused[] = [];
  #accepted = 0;

  constructor(
    options: RecorderOptions,
    result: RecorderResult,
    patience: number,
    sealedEpoch: number | undefined,
  ) {
    this.#options = options;
    this.#result = result;
    this.#patience = patience;
    this.#sealedEpoch = sealedEpoch;
  }

  async split(rows: readonly UsageRow[]): Promise<void> {
    if (rows.length === 0) return;
    const error = await this.#write(rows);
    if (!error) return;
    const [only] = rows;
    if (rows.length > 1 || !only) {
      const middle = rows.length >> 1;
      await this.split(rows.slice(0, middle));
      await this.split(rows.slice(middle));
      return;
    }
    this.#refused.push({ row: only, error });
    if (this.#accepted === 0 && this.#refused.length >= this.#patience) throw error;
  }

  /** The refused ones, each alone, in rounds: what refused them may have been passing. */
  async again(): Promise<void> {
    for (let round = 2; round <= TRIES_MAX && this.#refused.length > 0; round += 1) {
      await this.#pause();
      const before = this.#refused;
      this.#refused = [];
      for (const { row } of before) {
        const error = await this.#write([row]);
        if (error) this.#refused.push({ row, error });
      }
    }
    for (const { row, error } of this.#refused) {
      await this.#options.setAside(row.event, error.message);
      this.#result.setAside += 1;
    }
  }

  async #write(rows: readonly UsageRow[]): Promise<Error | undefined> {
    try {
      const { inserted, duplicates } = await recordRows(
        this.#options.database,
        this.#options.book,
        rows,
        this.#options.watch,
        this.#sealedEpoch,
      );
      this.#result.inserted += inserted;
      this.#result.duplicates += duplicates;
      this.#accepted += rows.length;
      return undefined;
    } catch (error) {
      if (isRefusal(error)) return error;
      throw error;
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(this.#options.retryMs, resolve);
    });
  }
}

// Data exceptions, broken constraints, program limits, sums out of range: what is wrong with rows.
// Everything else (no connection, no memory, a missing column, a deadlock) is the database's.
function isRefusal(error: unknown): error is Error {
  if (error instanceof AssertionError) return true;
  return error instanceof Error && /^(22|23|54)/.test(sqlState(error) ?? '');
}

function rowOrError(event: UsageEvent): UsageRow | Error {
  try {
    return toRow(event);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
