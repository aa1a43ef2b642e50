// Events that Redis keeps until they are rows. XRANGE and XDEL rather than a consumer group: one
// worker drains at a time, under a lease, and a row is inserted once by its reservation and kind,
// so a second reader after a lost lease does no harm, and there is no pending list to recover.

import { parseOwnJson } from '../../core/json.js';
import type { BookedLine } from '../../core/line.js';
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
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i]!, flat[i + 1]!);
  const field = (name: string): string => fields.get(name) ?? '';
  const told: Told = fields.has('event')
    ? parseOwnJson<Told>(field('event'))
    : { id: field('id'), stub: parseOwnJson<Stub>(field('stub')) };
  const lines: BookedLine[] = bookedLines(readLinesText(field('lines')), field('booked'));
  const kind = (fields.get('kind') ?? told.kind ?? 'base') as EventKind;
  const [seq, epoch, atMs] = [field('seq'), field('epoch'), field('at')].map(Number);
  return { ...told, kind, lines, seq: seq!, epoch: epoch!, atMs: atMs! };
}
