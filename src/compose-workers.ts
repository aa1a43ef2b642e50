// Several gateway processes on one port: a primary that only forks, hears signals, and replaces a
// worker that died. Each worker is a whole gateway with a data directory (and so a spool) of its
// own; Redis and PostgreSQL are what they share.

import cluster, { type Worker } from 'node:cluster';
import { join } from 'node:path';
import type { Config, Environment } from './config.js';
import type { Log } from './core/log.js';

const SLOT = 'NODE_PURSER_SLOT';
const RESTART_MS = 1_000;

export interface PrimaryOptions {
  config: Config;
  log: Log;
  onSignal(callback: () => void): void;
  exit(code: number): void;
}

/** Whether this process is to fork workers instead of serving by itself. */
export function isPrimary(config: Config): boolean {
  return config.workers > 1 && cluster.isPrimary;
}

/** The configuration of this process: a worker has a folder of its own. */
export function ownConfig(config: Config, env: Environment): Config {
  const slot = env[SLOT];
  if (config.workers === 1 || slot === undefined) return config;
  return { ...config, dataDir: join(config.dataDir, `worker-${slot}`) };
}

/** The first worker speaks for all: it prints the banner and keeps the admin key. */
export function speaksForAll(config: Config, env: Environment): boolean {
  return config.workers === 1 || env[SLOT] === '1';
}

/** Lives until every worker has ended after a signal. */
export function runPrimary({ config, log, onSignal, exit }: PrimaryOptions): void {
  const slots = new Map<Worker, number>();
  let stopping = false;
  const fork = (slot: number): void => {
    slots.set(cluster.fork({ [SLOT]: String(slot) }), slot);
  };
  cluster.on('exit', (worker, code, signal) => {
    const slot = slots.get(worker);
    slots.delete(worker);
    if (slot === undefined) return;
    if (stopping) {
      if (slots.size === 0) exit(0);
      return;
    }
    log.error({ slot, code, signal }, 'a worker ended: another takes its place');
    setTimeout(() => {
      if (!stopping) fork(slot);
    }, RESTART_MS);
  });
  onSignal(() => {
    stopping = true;
    if (slots.size === 0) exit(0);
    for (const worker of slots.keys()) worker.process.kill('SIGTERM');
  });
  // The first makes the schema and the keys, and shows them; the others come when it listens.
  cluster.once('listening', () => {
    for (let slot = 2; slot <= config.workers && !stopping; slot += 1) fork(slot);
  });
  fork(1);
}
