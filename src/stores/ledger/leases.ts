// Which gateway runs a worker now: a lease in Redis with a fencing token that only rises, so that
// a worker which paused past its lease can be told from the one that took over.

import type { Redis } from '../../drivers/redis.js';
import type { Scripts } from '../../drivers/scripts.js';
import type { LedgerKeys } from './keys.js';
import { toLedgerUnavailable } from './redis-wire.js';

export interface Lease {
  readonly name: string;
  /** Rises with every lease that is taken, whatever its name. */
  readonly token: number;
}

export interface Leases {
  /** Undefined where another holds it. */
  take(name: string, ms: number): Promise<Lease | undefined>;
  /** False where it is no longer ours: stop working. */
  renew(lease: Lease, ms: number): Promise<boolean>;
  /** Gives up our own; another's is left alone. */
  release(lease: Lease): Promise<boolean>;
}

export function createLeases(redis: Redis, scripts: Scripts, keys: LedgerKeys): Leases {
  const ask = async (name: string, ...args: string[]): Promise<number> => {
    const names = [keys.worker(name), keys.fence];
    return Number(await redis.run(scripts.lease, names, args).catch(toLedgerUnavailable));
  };
  return {
    async take(name, ms) {
      const token = await ask(name, 'take', '', `${ms}`);
      return token > 0 ? { name, token } : undefined;
    },
    async renew({ name, token }, ms) {
      return (await ask(name, 'renew', `${token}`, `${ms}`)) === token;
    },
    async release({ name, token }) {
      return (await ask(name, 'release', `${token}`, '')) === token;
    },
  };
}
