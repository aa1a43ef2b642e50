// Tells the ledger which requests are on their upstream's socket. Those of one turn of the loop are
// told in one beat, which is issued in that very turn: a call by itself waits for nobody, and many
// cost one script instead of one each. Each is answered for its own hold.

import { type Amounts, NOTHING } from '../../core/amount.js';
import type { Log } from '../../core/log.js';
import {
  type BeatReply,
  type CallableLedger,
  LedgerUnavailable,
  type OneBeat,
} from '../../stores/ledger/ledger.js';

/** `gone`: the hold was ended by somebody else; `unwritten`: log or ledger failed on it. */
export type SentMark = 'marked' | 'gone' | 'unwritten';

export interface Marks {
  /** At once where the ledger answers at once. Never rejects: nobody may be waiting for it yet. */
  tell(id: string, floor: Amounts): SentMark | Promise<SentMark>;
}

export interface MarksOptions {
  ledger: Pick<CallableLedger, 'now' | 'beat'>;
  log: Log;
  /** Who beats for the holds of this process. */
  owner: string;
  leaseMs: number;
}

/** As many as a beat takes. */
const BATCH_MAX = 64;

export function createMarks(options: MarksOptions): Marks {
  const { ledger, log, owner, leaseMs } = options;
  const { now } = ledger;
  if (!now) return new JoinedMarks(options);
  return {
    tell(id, floor) {
      try {
        const { gone } = now.beat({ owner, leaseMs, beats: [beatOf(id, floor)] });
        return gone.length > 0 ? 'gone' : 'marked';
      } catch (error) {
        return failed(log, id, error);
      }
    },
  };
}

interface Waiting {
  readonly beat: OneBeat;
  settle(mark: SentMark): void;
}

class JoinedMarks implements Marks {
  readonly #options: MarksOptions;
  #waiting: Waiting[] = [];

  constructor(options: MarksOptions) {
    this.#options = options;
  }

  // Whatever one read of Redis admitted goes on in microtasks; the next tick comes after all of
  // them and before the write of this turn.
  tell(id: string, floor: Amounts): Promise<SentMark> {
    return new Promise((settle) => {
      this.#waiting.push({ beat: beatOf(id, floor), settle });
      if (this.#waiting.length === 1) process.nextTick(() => this.#tellAll());
    });
  }

  #tellAll(): void {
    const all = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < all.length; at += BATCH_MAX) {
      void this.#tellBatch(all.slice(at, at + BATCH_MAX));
    }
  }

  async #tellBatch(batch: readonly Waiting[]): Promise<void> {
    const { ledger, log, owner, leaseMs } = this.#options;
    let reply: BeatReply;
    try {
      reply = await ledger.beat({ owner, leaseMs, beats: batch.map(({ beat }) => beat) });
    } catch (error) {
      for (const { beat, settle } of batch) settle(failed(log, beat.id, error));
      return;
    }
    // What is wrong with one must not keep the others from being told.
    if (reply.answer === 'INVALID_INPUT' && batch.length > 1) {
      for (const one of batch) void this.#tellBatch([one]);
      return;
    }
    const gone = new Set(reply.gone.map(({ id }) => id));
    for (const { beat, settle } of batch) settle(gone.has(beat.id) ? 'gone' : 'marked');
  }
}

function beatOf(id: string, floor: Amounts): OneBeat {
  return { id, seen: NOTHING, sent: { floor } };
}

// A stream that is under way goes on while the ledger is away; its event waits in the spool.
function failed(log: Log, id: string, error: unknown): SentMark {
  if (error instanceof LedgerUnavailable) return 'marked';
  log.error({ id, error }, 'the ledger failed on a call that was sent');
  return 'unwritten';
}
