// Random histories on a real Redis, audited as those of the memory ledger are: here 32 clients
// are truly under way at once, and their replies come back in any order.

import { expect, inject, it } from 'vitest';
import { openRedisSubject } from '../contract/redis-subject.js';
import { drive } from './drive.js';
import { exploreSmallModel } from './small-model.js';

const OPERATIONS = 20_000;
const SEED = 20_261_121;

it('20,000 random operations on Redis are answered and counted as predicted', async () => {
  const subject = await openRedisSubject({ urls: [inject('redisUrl')] });
  try {
    const report = await drive(subject, { seed: SEED, operations: OPERATIONS, jumps: false });
    expect(report.operations).toBeGreaterThanOrEqual(OPERATIONS);
    expect(report.counts.get('reserve RESERVED')).toBeGreaterThan(1000);
  } finally {
    await subject.stop();
  }
}, 120_000);

it('two envelopes and three reservations on Redis are right in every state of two steps', async () => {
  const report = await exploreSmallModel(() => openRedisSubject({ urls: [inject('redisUrl')] }), 2);
  expect(report.states).toBeGreaterThan(30);
}, 120_000);
