// Three masters on loopback that share the slots of one cluster: what a script touches without
// declaring it, or in another slot, fails here and nowhere else.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Server, startRedis } from './programs.js';

const MASTERS = 3;
const SLOTS = 16_384;
const READY_TRIES = 200;
const READY_POLL_MS = 50;

export interface RedisCluster {
  urls: string[];
  stop(): Promise<void>;
}

export async function startRedisCluster(folder: string): Promise<RedisCluster> {
  const options = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const servers = await Promise.all(
    Array.from({ length: MASTERS }, (_, i) => startRedis(join(folder, `node-${i}`), options)),
  );
  const stop = async () => {
    await Promise.all(servers.map((server) => server.kill()));
  };
  try {
    const first = servers[0]!;
    for (const [i, server] of servers.entries()) {
      const from = Math.floor((SLOTS * i) / MASTERS);
      const to = Math.floor((SLOTS * (i + 1)) / MASTERS) - 1;
      ask(server, 'cluster', 'addslotsrange', `${from}`, `${to}`);
      // Without epochs of their own the three would quarrel over slots.
      ask(server, 'cluster', 'set-config-epoch', `${i + 1}`);
      if (server !== first) ask(server, 'cluster', 'meet', '127.0.0.1', `${first.port}`);
    }
    for (const server of servers) await whole(server);
    return { urls: servers.map(({ url }) => url), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function whole(server: Server): Promise<void> {
  for (let tries = 0; tries < READY_TRIES; tries += 1) {
    const told = ask(server, 'cluster', 'info');
    const slots = ask(server, 'cluster', 'shards');
    const ports = new Set(slots.match(/^\d{4,5}$/gm) ?? []);
    if (told.includes('cluster_state:ok') && ports.size >= MASTERS) return;
    await wait(READY_POLL_MS);
  }
  throw new Error(`The cluster is not whole as seen from port ${server.port}.`);
}

function ask(server: Server, ...words: string[]): string {
  return execFileSync('redis-cli', ['-p', `${server.port}`, ...words], { encoding: 'utf8' });
}
