// Usage events for tests, complete and believable; a test changes what it is about.

import { type Amounts, NOTHING } from '#src/core/amount.js';
import { uuidV7 } from '#src/core/id.js';
import type { BookedLine } from '#src/core/line.js';
import { NO_USAGE } from '#src/core/usage.js';
import type { Reading, Stub, UsageEvent } from '#src/core/usage-event.js';
import type { SentRecord } from '#src/stores/spool.js';

const AT_MS = Date.UTC(2026, 10, 21, 9, 41);

export const STUB: Stub = {
  attribution: { agentName: 'coder-1', agentType: 'coder' },
  provider: 'sandbox',
  model: 'echo',
  priceVersion: 'prices-1',
  startedAtMs: AT_MS,
  stream: true,
  requestId: 'req-1',
};

export function reading(more: Partial<Reading> = {}): Reading {
  return {
    provider: 'sandbox',
    model: 'echo',
    priceVersion: 'prices-1',
    usage: { ...NO_USAGE, input: 100, cachedRead: 20, output: 50, reasoning: 5, requests: 1 },
    usageSource: 'provider',
    costNanoUsd: 1_234_567,
    outcome: 'completed',
    finishReason: 'stop',
    endedAtMs: AT_MS + 900,
    firstByteMs: 120,
    modelMs: 850,
    attempts: 1,
    estimatedInputTokens: 130,
    estimatedOutputTokens: 256,
    heldNanoUsd: 5_000_000,
    anomalies: [],
    ...more,
  };
}

export const LINES: BookedLine[] = [
  { e: 'limit:global', l: '2026-11', u: 'nano_usd', a: 1_234_567, o: 0 },
  { e: 'limit:rate', l: '2026-11-21T09:41', u: 'requests', a: 1, o: 0 },
  { e: 'limit:tokens', l: '2026-11-21', u: 'tokens', a: 175, o: 0 },
];

let count = 0;

export function usageEvent(more: Partial<UsageEvent> = {}): UsageEvent {
  count += 1;
  return {
    id: uuidV7(AT_MS + count),
    kind: 'base',
    lines: LINES,
    stub: STUB,
    reading: reading(),
    seq: count,
    epoch: 1,
    atMs: AT_MS + 1000 + count,
    ...more,
  };
}

export function usageEvents(howMany: number, more: Partial<UsageEvent> = {}): UsageEvent[] {
  return Array.from({ length: howMany }, () => usageEvent(more));
}

export function amounts(more: Partial<Amounts>): Amounts {
  return { ...NOTHING, ...more };
}

export function sentRecord(id: string, more: Partial<SentRecord> = {}): SentRecord {
  return {
    id,
    lines: [
      {
        envelope: 'limit:global',
        label: '2026-11',
        unit: 'nano_usd',
        amount: 5_000_000,
        limit: 100_000_000_000,
        mode: 'block',
        version: 1,
      },
    ],
    stub: JSON.stringify(STUB),
    floor: amounts({ nano_usd: 1000, tokens: 10, requests: 1 }),
    ...more,
  };
}
