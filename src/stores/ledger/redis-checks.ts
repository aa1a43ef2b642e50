// Whether a Redis may keep the ledger at all: asked at start, before the first call is admitted.
// A Redis that evicts forgets what was spent, a replica refuses to write, an old one has no flags
// on scripts, one of 32 bits cuts their integers; each is refused with the remedy.

import { OperatorError } from '../../core/errors.js';
import type { Redis } from '../../drivers/redis.js';
import { RedisUnavailable } from '../../drivers/redis-errors.js';

export interface RedisFacts {
  version: string;
  /** Of its architecture: '64', or '32'. */
  bits: string;
  role: string;
  /** `maxmemory-policy`, and the bytes at which it would begin; 0 is no bound. */
  evictionPolicy: string;
  memoryMaxBytes: number;
  /** What survives a crash of Redis, in words. */
  persistence: string;
}

const VERSION_MAJOR_MIN = 7;

/** Asks every master; rejects with an OperatorError where one of them must not keep the ledger. */
export async function checkRedis(redis: Redis): Promise<RedisFacts> {
  const texts = await redis.onMasters('info').catch((error: unknown) => {
    const reason = error instanceof RedisUnavailable ? error.reason : String(error);
    throw new OperatorError(
      `Redis cannot be asked about itself (${reason}).`,
      'Check that REDIS_URL is right, that Redis runs, and that its user may run INFO.',
    );
  });
  const save = await savePoints(redis);
  const all = texts.map((text) => factsOf(String(text), save));
  for (const facts of all) insist(facts);
  const first = all[0];
  if (!first) {
    throw new OperatorError('The Redis Cluster has no master.', 'Check `redis-cli cluster info`.');
  }
  return first;
}

/** Reads INFO's text. `savePoints` is the setting `save`; undefined where it may not be read. */
export function factsOf(info: string, savePoints: string | undefined): RedisFacts {
  const fields = new Map<string, string>();
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return {
    version: fields.get('redis_version') ?? '',
    bits: fields.get('arch_bits') ?? '',
    role: fields.get('role') ?? '',
    evictionPolicy: fields.get('maxmemory_policy') ?? '',
    memoryMaxBytes: Number(fields.get('maxmemory') ?? 0),
    persistence: persistenceOf(fields.get('aof_enabled') === '1', savePoints),
  };
}

function persistenceOf(isAofOn: boolean, savePoints: string | undefined): string {
  const aof = isAofOn ? 'an append-only file' : '';
  if (savePoints === undefined) return aof || 'no append-only file; snapshots unknown';
  const snapshots = savePoints === '' ? '' : `snapshots (${savePoints})`;
  if (aof && snapshots) return `${aof} and ${snapshots}`;
  return aof || snapshots || 'nothing: after a crash of Redis the ledger is rebuilt from SQL';
}

// Many hosted ones do not let CONFIG be read; that is no reason to refuse them.
async function savePoints(redis: Redis): Promise<string | undefined> {
  try {
    const [reply] = (await redis.onMasters('config', 'get', 'save')) as [string[]];
    return reply[1];
  } catch (error) {
    if (error instanceof RedisUnavailable) return undefined;
    throw error;
  }
}

function insist({ version, bits, role, evictionPolicy }: RedisFacts): void {
  if (!(Number(version.split('.')[0]) >= VERSION_MAJOR_MIN)) {
    throw new OperatorError(
      `Redis ${version || 'of an unknown version'} is too old for block mode.`,
      `Use Redis ${VERSION_MAJOR_MIN}.0 or later: its scripts can be told apart by flags.`,
    );
  }
  if (bits === '32') {
    throw new OperatorError(
      'Redis is a build of 32 bits, whose scripts cannot write an amount in whole.',
      'Use a build of 64 bits.',
    );
  }
  if (role !== 'master') {
    throw new OperatorError(
      `Redis is a ${role || 'server of unknown role'}, which cannot keep the ledger.`,
      'Point REDIS_URL at the master.',
    );
  }
  if (evictionPolicy !== 'noeviction') {
    throw new OperatorError(
      `Redis may evict keys (maxmemory-policy ${evictionPolicy || 'unknown'}): what was spent ` +
        'would be forgotten and spent again.',
      'Set `maxmemory-policy noeviction` on it, or use a Redis of its own.',
    );
  }
}
