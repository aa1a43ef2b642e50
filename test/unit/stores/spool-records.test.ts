// What is written of a call is read back as it was, also by whoever wrote it differently before.

import { describe, expect, it } from 'vitest';
import { uuidV7 } from '#src/core/id.js';
import { NO_USAGE, type Usage } from '#src/core/usage.js';
import type { Reading, UsageEvent } from '#src/core/usage-event.js';
import { readRecord, writeEnded, writeSent } from '#src/stores/spool-records.js';
import { amounts, sentRecord, usageEvent } from '../../support/events.js';

const [line] = sentRecord(uuidV7(1)).lines;

describe('a sent record', () => {
  it('is read back as it was, whatever its envelopes and its stub say', () => {
    const odd = 'person=a"b\\c\n\u00e9\u{1f600}';
    const own = { ...line!, envelope: odd, limit: null, mode: 'warn' as const };
    const stub = JSON.stringify({ attribution: { agentName: odd }, n: 1 });
    const record = sentRecord(uuidV7(2), { lines: [line!, own], stub });
    expect(readRecord(writeSent(record))).toEqual({ t: 'sent', sent: record });
    expect(writeSent(record)).not.toContain('\n');
  });

  it('has its own amount, label, limit, mode and version each time', () => {
    const changes = [
      { amount: 7 },
      { amount: 8, label: '2026-12' },
      { amount: 9, limit: 5 },
      { amount: 9, mode: 'warn' as const },
      { amount: 9, version: 3 },
      { amount: 0, unit: 'tokens' as const },
    ];
    for (const change of changes) {
      writeSent(sentRecord(uuidV7(3)));
      const floor = amounts({ nano_usd: change.amount, requests: 1 });
      const record = sentRecord(uuidV7(3), { lines: [{ ...line!, ...change }], floor });
      expect(readRecord(writeSent(record))).toEqual({ t: 'sent', sent: record });
    }
  });

  it('with its stub in quotes, as it was written before, is read alike', () => {
    const record = sentRecord(uuidV7(4));
    const text = JSON.stringify({ t: 'sent', sent: record });
    expect(readRecord(text)).toEqual({ t: 'sent', sent: record });
  });
});

describe('an ended record', () => {
  it('is read back as it was, with the text of its stub at hand or without', () => {
    const event = usageEvent({ reason: 'why', unbooked: true, actual: amounts({ tokens: 3 }) });
    const whole = { t: 'ended', event };
    expect(readRecord(writeEnded(event))).toEqual(whole);
    expect(readRecord(writeEnded(event, JSON.stringify(event.stub)))).toEqual(whole);
  });

  it('keeps every member that an event, its reading and its usage can have', () => {
    for (const odd of ['plain', 'a"b\\c\n\u00e9\u{1f600}', 'x'.repeat(200)]) {
      const event = fullEvent(odd);
      expect(readRecord(writeEnded(event))).toEqual({ t: 'ended', event });
      expect(writeEnded(event)).not.toContain('\n');
    }
  });

  it('has its own amounts, label and unit each time', () => {
    const [first] = usageEvent({}).lines;
    const changes = [{ a: 7 }, { a: -8, l: '2026-12' }, { o: 9 }, { u: 'requests' as const, a: 1 }];
    for (const change of changes) {
      writeEnded(usageEvent({}));
      const event = usageEvent({ lines: [{ ...first!, ...change }, first!] });
      expect(readRecord(writeEnded(event))).toEqual({ t: 'ended', event });
    }
  });

  it('has each class of its usage, the one that is not 0 as well as those that are', () => {
    const plain = { ...fullUsage(), ...NO_USAGE, input: 3, output: 4, requests: 1 };
    for (const name of Object.keys(plain)) {
      const { reading } = usageEvent({});
      const event = usageEvent({ reading: { ...reading!, usage: { ...plain, [name]: 7 } } });
      expect(readRecord(writeEnded(event))).toEqual({ t: 'ended', event });
    }
  });
});

// Their types ask for a member here as soon as there is a new one.
function fullEvent(odd: string): Required<UsageEvent> {
  const { stub } = usageEvent({});
  const line = { e: odd, l: odd, u: 'tokens' as const, a: 3, o: 1 };
  const times = { seq: 7, epoch: 2, atMs: 1_700_000_000_123 };
  const rest = { unbooked: true as const, actual: amounts({ tokens: 3 }), reason: odd };
  return {
    id: uuidV7(5),
    kind: 'late',
    lines: [line],
    stub,
    reading: fullReading(odd),
    ...times,
    ...rest,
  };
}

function fullReading(odd: string): Required<Reading> {
  return {
    provider: odd,
    model: odd,
    priceVersion: odd,
    usage: fullUsage(),
    usageSource: 'counted',
    costNanoUsd: 25,
    outcome: 'cut_by_budget',
    finishReason: odd,
    endedAtMs: 1_700_000_000_124,
    firstByteMs: null,
    modelMs: 17,
    attempts: 2,
    estimatedInputTokens: 30,
    estimatedOutputTokens: 31,
    heldNanoUsd: 32,
    saved: { tokens: 33, nanoUsd: 34 },
    anomalies: [odd, 'two'],
    serviceTier: odd,
    kept: { id: odd, as: 'completion' },
    corrects: fullUsage(),
  };
}

function fullUsage(): Required<Usage> {
  return {
    input: 1,
    cachedRead: 2,
    cacheWrite5m: 3,
    cacheWrite1h: 4,
    output: 5,
    reasoning: 6,
    audioInput: 7,
    audioOutput: 8,
    imageInput: 9,
    requests: 10,
    webSearches: 11,
  };
}
