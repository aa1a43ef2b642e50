// The contract on Redis, one server, with keys of its own for every guarantee.

import { inject } from 'vitest';
import { describeLedger } from './ledger-contract.js';
import { REDIS_ONLY } from './redis-only.js';
import { openRedisSubject } from './redis-subject.js';

describeLedger('redis', () => openRedisSubject({ urls: [inject('redisUrl')] }), REDIS_ONLY);
