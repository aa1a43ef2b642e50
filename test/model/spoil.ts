// Requests that no ledger may act on.

import type { Amounts } from '#src/core/amount.js';
import type { Operation } from './history.js';
import type { Random } from './random.js';

const WRONG = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1e21];

/** The same operation with one thing wrong with it. */
export function spoilt(operation: Operation, random: Random): Operation {
  const wrong = random.one(WRONG);
  const amounts: Amounts = { nano_usd: wrong, tokens: 1, requests: 1, concurrency: 0 };
  switch (operation.verb) {
    case 'reserve': {
      const { request } = operation;
      const line = { envelope: 'limit:a', label: 'ever', unit: 'nano_usd', amount: 1 } as const;
      const lines = [{ ...line, limit: 10, mode: 'block', version: 1 }] as const;
      const bad = [
        { lines: [{ ...lines[0], amount: wrong }] },
        { lines: [{ ...lines[0], limit: wrong }] },
        { lines: [lines[0], lines[0]] },
        { lines: [{ ...lines[0], envelope: 'limit:b' }, lines[0]] },
        { leaseMs: 0 },
        { id: '' },
      ];
      return { verb: 'reserve', request: { ...request, ...random.one(bad) } };
    }
    case 'extend': {
      const bad = [{ more: amounts }, { leaseMs: 0 }, { id: '' }];
      return { verb: 'extend', request: { ...operation.request, ...random.one(bad) } };
    }
    case 'beat': {
      const right: Amounts = { ...amounts, nano_usd: 1 };
      const bad = random.one([
        { id: 'x', seen: amounts },
        { id: 'x', seen: right, sent: { floor: amounts } },
      ]);
      const beats = [...operation.request.beats.slice(0, 3), bad];
      return { verb: 'beat', request: { ...operation.request, beats } };
    }
    case 'finalize':
      return { verb: 'finalize', request: { ...operation.request, actual: amounts } };
    case 'release':
      return { verb: 'release', request: '' };
    case 'reap':
      return { verb: 'reap', request: [...operation.request.slice(0, 3), ''] };
    case 'adjust': {
      const key = { envelope: 'limit:a', label: 'ever', unit: 'nano_usd' } as const;
      const amount = wrong === -1 ? 0.5 : wrong;
      return { verb: 'adjust', request: { ...operation.request, lines: [{ ...key, amount }] } };
    }
    case 'setLimits': {
      const bad = { envelope: 'limit:a', limit: wrong, mode: 'block', version: 9 } as const;
      return { verb: 'setLimits', request: [...operation.request, bad] };
    }
    case 'restore': {
      const key = { envelope: 'limit:a', label: 'ever', unit: 'nano_usd' } as const;
      const figures = { committed: wrong, overrun: 0, adjusted: 0 };
      return { verb: 'restore', request: { what: 'counters', ...key, ...figures } };
    }
  }
}
