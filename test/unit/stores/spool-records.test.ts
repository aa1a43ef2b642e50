// What is written of a call is read back as it was, also by whoever wrote it differently before.

import { describe, expect, it } from 'vitest';
import { uuidV7 } from '#src/core/id.js';
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
});
