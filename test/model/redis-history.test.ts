// Random histories on a real Redis, audited as those of the memory ledger are: here 32 clients
// are truly under way at once, and their replies come back in any order.

import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { openRedisSubject } from '../contract/redis-subject.js';
import { startRedis } from '../support/programs.js';
import { drive } from './drive.js';
import { exploreSmallModel, replaySmallModel } from './small-model.js';
import { openManyOnRedis, openMemory } from './subjects.js';

const OPERATIONS = 20_000;
const SEED = 20_261_121;
const DEPTH = 5;

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

it('every step from every state of the small model is right on Redis, to depth five', async () => {
  const { paths, edges } = await exploreSmallModel(openMemory, DEPTH);
  // Of its own: thousands of ledgers in the one that all tests share would slow their scans.
  const server = await startRedis(join(inject('runFolder'), 'small-model'));
  const { open, close } = await openManyOnRedis(server.url);
  try {
    const replayed = await replaySmallModel(open, paths, { leaseMs: 400, atOnce: 128 });
    expect(replayed.edges).toBe(edges);
    expect(edges).toBeGreaterThan(10_000);
  } finally {
    await close();
    await server.kill();
  }
}, 120_000);
