// Several gateways as an operator runs them, each a process with a home of its own, over one Redis
// and one PostgreSQL. The first makes the schema and the keys; the others come when it is ready.

import {
  type GatewayHome,
  type GatewayProcess,
  type HomeOptions,
  openGatewayHome,
} from './gateway-process.js';

export interface FleetOptions {
  count: number;
  redisUrl: string;
  databaseUrl: string;
  config: HomeOptions['config'];
}

export interface Fleet {
  homes: readonly GatewayHome[];
  gateways: readonly GatewayProcess[];
  key: string;
  adminKey: string;
  /** Asks the first gateway as an operator; rejects where it says no. */
  admin(method: string, path: string, body?: unknown): Promise<unknown>;
  stop(): Promise<void>;
  /** Kills what still runs, and takes the homes away. */
  remove(): Promise<void>;
}

export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const { count, redisUrl, databaseUrl, config } = options;
  const env = { REDIS_URL: redisUrl, DATABASE_URL: databaseUrl };
  const keys = { key: '', adminKey: '' };
  const homes: GatewayHome[] = [];
  for (let i = 0; i < count; i += 1) homes.push(await openGatewayHome({ config, env, keys }));
  const remove = async (): Promise<void> => {
    await Promise.all(homes.map((home) => home.remove()));
  };
  const gateways: GatewayProcess[] = [];
  try {
    const [first, ...others] = homes as [GatewayHome, ...GatewayHome[]];
    gateways.push(await first.start());
    gateways.push(...(await Promise.all(others.map((home) => home.start()))));
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    ...{ homes, gateways, ...keys, remove },
    async admin(method, path, body) {
      const response = await fetch(`${gateways[0]!.url}/admin/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${keys.adminKey}`,
          'content-type': 'application/json',
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return JSON.parse(text);
    },
    async stop() {
      await Promise.all(gateways.map((gateway) => gateway.stop()));
    },
  };
}
