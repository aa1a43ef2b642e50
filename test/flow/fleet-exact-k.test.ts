// Four gateway processes over one Redis and one PostgreSQL admit together exactly as many calls as
// there is room for.

import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { freshPostgres } from '../support/databases.js';
import { startRedis } from '../support/programs.js';
import { exactK } from '../trials/exact-k.js';

const ROUNDS = 5;
const SEED = 4;

test(`of a thousand calls at once over four gateways exactly k are admitted, ${ROUNDS} times`, async () => {
  const redis = await startRedis(join(inject('runFolder'), 'fleet-exact-k'));
  const fresh = await freshPostgres();
  try {
    const at = { redisUrl: redis.url, databaseUrl: fresh.url!, database: fresh.database };
    const { violations, figures } = await exactK({ count: ROUNDS, seed: SEED, ...at });
    expect(violations).toEqual([]);
    expect(figures).toContainEqual(['calls', ROUNDS * 1000]);
  } finally {
    await fresh.drop();
    await redis.kill();
  }
}, 180_000);
