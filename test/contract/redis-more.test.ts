// What Redis guarantees beyond the contract, with keys of its own for every guarantee.

import { describe, inject, test } from 'vitest';
import { BESIDE } from './redis/beside.js';
import { EDGES } from './redis/edges.js';
import { HISTORIES } from './redis/histories.js';
import { LIFETIMES } from './redis/lifetimes.js';
import { RAW_ARGUMENTS } from './redis/raw-arguments.js';
import { REAPING } from './redis/reaping.js';
import { STARTS } from './redis/starts.js';
import { UNREADABLE } from './redis/unreadable.js';
import { openRedisSubject } from './redis-subject.js';

const GROUPS = {
  'raw arguments': RAW_ARGUMENTS,
  'how long keys live': LIFETIMES,
  'beside the ledger': BESIDE,
  edges: EDGES,
  'where reap ends': REAPING,
  'records that cannot be read': UNREADABLE,
  'starts of Redis': STARTS,
  'beside the memory ledger': HISTORIES,
};

for (const [name, guarantees] of Object.entries(GROUPS)) {
  describe(name, () => {
    for (const { name: sentence, check } of guarantees) {
      test(sentence, async () => {
        const subject = await openRedisSubject({ urls: [inject('redisUrl')] });
        try {
          await check(subject);
        } finally {
          await subject.stop();
        }
      });
    }
  });
}
