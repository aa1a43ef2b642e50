// Events that Redis keeps until they are rows. XRANGE and XDEL rather than a consumer group: one
// worker drains at a time, under a lease, and a row is inserted once by its reservation and kind,
// so a second reader after a lost lease does no harm, and there is no pending list to recover.

import { parseOwnJson } from '../../core/json.js';
import type { EventKind, Stub, UsageEvent } from '../../core/usage-event.js';
import type { Redis } from '../../drivers/redis.js';
import type { LedgerKeys } from './keys.js';
import { bookedLines } from './redis-end.js';
import { readLinesText } from './redis-lines.js';
import { toLedgerUnavailable } from './redis-wire.js';

/** One event and its place in the outbox, by which it is acknowledged. */
export interface OutboxEntry {
  place: string;
  event: UsageEvent;
}

export interface Outbox {
  /** The oldest events, in the order in which they were booked; they stay until acknowledged. */
  read(most: number): Promise<OutboxEntry[]>;
  /** Takes out what is in SQL. Twice is as once. */
  acknowledge(places: readonly string[]): Promise<void>;
  /** How many events wait, and about how many bytes they take. */
  depth(): Promise<{ events: number; bytes: number }>;
}

export function createOutbox(redis: Redis, keys: LedgerKeys): Outbox {
  return {
    async read(most) {
      const reply = await redis
        .command('xrange', keys.outbox, '-', '+', 'COUNT', `${most}`)
        .catch(toLedgerUnavailable);
      return (reply as [string, string[]][]).map(([place, flat]) => ({
        place,
        event: eventOf(flat),
      }));
    },
    async acknowledge(places) {
      if (places.length === 0) return;
      await redis.command('xdel', keys.outbox, ...places).catch(toLedgerUnavailable);
    },
    async depth() {
      const [events, bytes] = await redis
        .pipeline([
          ['xlen', keys.outbox],
          ['memory', 'usage', keys.outbox],
        ])
        .catch(toLedgerUnavailable);
      return { events: events as number, bytes: (bytes as number | null) ?? 0 };
    },
  };
}

type Told = Omit<UsageEvent, 'lines' | 'seq' | 'epoch' | 'atMs' | 'kind'> & { kind?: EventKind };

// A finalize and an adjust bring the event; a reap has only the stub that reserve left.
function eventOf(flat: readonly string[]): UsageEvent {
  const text = field(flat, 'event');
  const event = (
    text !== ''
      ? parseOwnJson<Told>(text)
      : { id: field(flat, 'id'), stub: parseOwnJson<Stub>(field(flat, 'stub')) }
  ) as UsageEvent;
  event.kind = (field(flat, 'kind') || event.kind || 'base') as EventKind;
  event.lines = bookedLines(readLinesText(field(flat, 'lines')), field(flat, 'booked'));
  event.seq = Number(field(flat, 'seq'));
  event.epoch = Number(field(flat, 'epoch'));
  event.atMs = Number(field(flat, 'at'));
  return event;
}

// Of seven names and values in turn; a table of them would cost more than looking.
function field(flat: readonly string[], name: string): string {
  for (let i = 0; i + 1 < flat.length; i += 2) if (flat[i] === name) return flat[i + 1]!;
  return '';
}
