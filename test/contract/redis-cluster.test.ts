// The contract on a Redis Cluster of three masters: every key that a script touches is declared
// and lies in one slot, whichever master has it.

import { join } from 'node:path';
import { afterAll, beforeAll, describe, inject } from 'vitest';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.js';
import { describeLedger } from './ledger-contract.js';
import { openRedisSubject } from './redis-subject.js';

describe('on a cluster', () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster(join(inject('runFolder'), 'redis-cluster'));
  });
  afterAll(() => cluster.stop());
  describeLedger('redis cluster', () => openRedisSubject({ urls: cluster.urls, cluster: true }));
});
