// The checks at start, against real servers.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, inject, test } from 'vitest';
import { OperatorError } from '#src/core/errors.js';
import { checkRedis } from '#src/stores/ledger/redis-checks.js';
import { startRedis } from '../support/programs.js';
import { openRedisSubject, type RedisSubject } from './redis-subject.js';

let subject: RedisSubject;
beforeEach(async () => {
  subject = await openRedisSubject({ urls: [inject('redisUrl')] });
});
afterEach(() => subject.stop());

describe('the checks at start', () => {
  test('take a master that never evicts, and say what survives a crash', async () => {
    const facts = await checkRedis(subject.redis);
    assert.equal(facts.role, 'master');
    assert.match(facts.version, /^[7-9]|^\d\d/);
    assert.equal(facts.evictionPolicy, 'noeviction');
    assert.ok(facts.persistence.length > 0);
  });

  test('refuse one that may evict, and a replica, each with the remedy', async () => {
    const folder = join(inject('runFolder'), 'redis-checked');
    const server = await startRedis(folder, ['--appendonly', 'yes']);
    const own = await openRedisSubject({ urls: [server.url] });
    try {
      assert.equal((await checkRedis(own.redis)).persistence, 'an append-only file');
      const refused = (message: RegExp) => (error: unknown) =>
        error instanceof OperatorError && message.test(error.message) && error.remedy.length > 0;
      for (const policy of ['allkeys-lru', 'volatile-ttl']) {
        await own.redis.command('config', 'set', 'maxmemory-policy', policy);
        await assert.rejects(() => checkRedis(own.redis), refused(/may evict/));
      }
      await own.redis.command('config', 'set', 'maxmemory-policy', 'noeviction');
      await own.redis.command('replicaof', '127.0.0.1', '1');
      await assert.rejects(() => checkRedis(own.redis), refused(/is a slave/));
    } finally {
      await own.stop();
      await server.kill();
    }
  });
});
