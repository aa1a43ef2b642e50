// Deliberately wrong ledgers, each a right one with one mistake that people really make. The
// auditor must catch every one of them; which invariant it breaks stands beside it.

import { NOTHING } from '#src/core/amount.js';
import type { Balance } from '#src/core/envelope.js';
import type { Ledger, Shortage } from '#src/stores/ledger/ledger.js';

export interface WrongLedger {
  name: string;
  breaks: string;
  wrap(right: Ledger): Ledger;
}

/** The right ledger with some verbs replaced. */
function changed(right: Ledger, verbs: Partial<Ledger>): Ledger {
  return { ...right, ...verbs };
}

function moved<T extends { limit: number | null }>(value: T, by: number): T {
  // A limit of 0 stays: to admit anything there would be too easy to see.
  return value.limit ? { ...value, limit: value.limit + by } : value;
}

export const WRONG_LEDGERS: readonly WrongLedger[] = [
  {
    name: 'admits one unit more than there is room for',
    breaks: 'CAP',
    wrap(right) {
      // Inside every limit is one more; outside, what is told of it is as it should be.
      const told = <R extends { balances: Balance[]; shortages?: Shortage[] }>(reply: R): R => ({
        ...reply,
        balances: reply.balances.map((balance) => moved(balance, -1)),
        ...(reply.shortages && { shortages: reply.shortages.map((one) => moved(one, -1)) }),
      });
      return changed(right, {
        async reserve(request) {
          const lines = request.lines.map((line) => moved(line, 1));
          return told(await right.reserve({ ...request, lines }));
        },
        setLimits: (settings) => right.setLimits(settings.map((setting) => moved(setting, 1))),
        extend: async (request) => told(await right.extend(request)),
        finalize: async (request) => told(await right.finalize(request)),
        release: async (id) => told(await right.release(id)),
        adjust: async (request) => told(await right.adjust(request)),
        balances: async (lines) =>
          (await right.balances(lines)).map((balance) => moved(balance, -1)),
        async restore(request) {
          if (request.what === 'counters') return right.restore(request);
          const lines = request.hold.lines.map((line) => moved(line, 1));
          return told(await right.restore({ what: 'hold', hold: { ...request.hold, lines } }));
        },
      });
    },
  },
  {
    name: 'forgets a refusal, so that a repeated request gets in once there is room',
    breaks: 'IDEMP',
    wrap(right) {
      const names = new Map<string, string>();
      let tries = 0;
      const inner = (id: string): string => names.get(id) ?? id;
      return changed(right, {
        async reserve(request) {
          const reply = await right.reserve({ ...request, id: inner(request.id) });
          tries += 1;
          if (reply.answer === 'BUDGET_EXCEEDED') names.set(request.id, `${request.id}-${tries}`);
          return reply;
        },
      });
    },
  },
  {
    name: 'clamps what is booked to what was held',
    breaks: 'COMMITTED',
    wrap: (right) =>
      changed(right, {
        async finalize(request) {
          const { holds } = await right.holds({ offset: 0, limit: 1_000_000 });
          const held = holds.find(({ id }) => id === request.id)?.lines;
          const most = (unit: 'nano_usd' | 'tokens'): number => {
            const line = held?.find((one) => one.unit === unit);
            return Math.min(request.actual[unit], line?.amount ?? Number.POSITIVE_INFINITY);
          };
          const actual = { nano_usd: most('nano_usd'), tokens: most('tokens') };
          return right.finalize({ ...request, actual: { ...request.actual, ...actual } });
        },
      }),
  },
  {
    name: 'books a late finalize in whole, on top of what the reap charged',
    breaks: 'ONCE',
    wrap(right) {
      const charged = new Map<string, number>();
      return changed(right, {
        async reap(ids) {
          const reply = await right.reap(ids);
          for (const { id, event } of reply.results) {
            const line = event?.lines.find(({ u }) => u === 'nano_usd');
            if (line) charged.set(id, line.a);
          }
          return reply;
        },
        async finalize(request) {
          const more = charged.get(request.id) ?? 0;
          charged.delete(request.id);
          const { actual } = request;
          const whole = { ...actual, nano_usd: actual.nano_usd + more };
          return right.finalize({ ...request, actual: whole });
        },
      });
    },
  },
  {
    name: 'forgets the spend that a beat has told',
    breaks: 'NO-FREE',
    wrap: (right) =>
      changed(right, {
        beat: (request) =>
          right.beat({
            ...request,
            beats: request.beats.map((one) => ({ ...one, seen: NOTHING })),
          }),
      }),
  },
  {
    name: 'leaves a call held that a beat says was sent',
    breaks: 'NO-FREE',
    wrap: (right) =>
      changed(right, {
        beat: (request) =>
          right.beat({ ...request, beats: request.beats.map(({ id, seen }) => ({ id, seen })) }),
      }),
  },
  {
    name: 'believes the limit that it was told last, whatever its version',
    breaks: 'CAP',
    wrap(right) {
      let version = 1_000_000;
      return changed(right, {
        reserve(request) {
          version += 1;
          return right.reserve({
            ...request,
            lines: request.lines.map((line) => (line.version > 0 ? { ...line, version } : line)),
          });
        },
      });
    },
  },
  {
    name: 'holds the lines that had room before it finds the one that had none',
    breaks: 'ATOMIC',
    wrap(right) {
      let made = 0;
      return changed(right, {
        async reserve(request) {
          const reply = await right.reserve(request);
          const short = reply.shortages?.[0]?.envelope;
          const at = request.lines.findIndex(({ envelope }) => envelope === short);
          if (reply.answer !== 'BUDGET_EXCEEDED' || at < 1) return reply;
          made += 1;
          const lines = request.lines.slice(0, at);
          await right.reserve({ ...request, id: `half-${made}`, lines });
          return reply;
        },
      });
    },
  },
  {
    name: 'keeps 14 digits of an amount, as Lua prints its numbers',
    breaks: 'PRECISION',
    wrap(right) {
      const rounded = (value: number): number => Number(value.toPrecision(14));
      const blurred = (balance: Balance): Balance => ({
        ...balance,
        committed: rounded(balance.committed),
        reserved: rounded(balance.reserved),
      });
      return changed(right, {
        async reserve(request) {
          const reply = await right.reserve(request);
          return { ...reply, balances: reply.balances.map(blurred) };
        },
        async finalize(request) {
          const reply = await right.finalize(request);
          return { ...reply, balances: reply.balances.map(blurred) };
        },
      });
    },
  },
  {
    name: 'reaps a hold that was renewed after it was listed',
    breaks: 'LIVE',
    wrap(right) {
      const listed = new Set<string>();
      return changed(right, {
        async overdue(limit) {
          const ids = await right.overdue(limit);
          for (const id of ids) listed.add(id);
          return ids;
        },
        // A beat that does not reach a listed hold leaves it as overdue as it was.
        beat: (request) =>
          right.beat({ ...request, beats: request.beats.filter(({ id }) => !listed.has(id)) }),
      });
    },
  },
  {
    name: 'charges a call that was never sent',
    breaks: 'NO-GHOST',
    wrap: (right) =>
      changed(right, {
        async beat(request) {
          const reply = await right.beat(request);
          for (const { id, seen } of request.beats) {
            if (reply.answer !== 'BEATEN') break;
            await right.beat({ ...request, beats: [{ id, seen, sent: { floor: seen } }] });
          }
          return reply;
        },
      }),
  },
];
