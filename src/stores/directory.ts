// The directory in memory: keys, agents, projects and limits as SQL has them, exchanged whole when
// `config_version` has moved. While SQL is away the last snapshot stays in force.

import type { Clock } from '../core/clock.js';
import type { DirectorySnapshot } from '../core/directory.js';
import type { Log } from '../core/log.js';
import type { Database } from '../drivers/database.js';
import { readRows } from './directory-rows.js';

export interface DirectoryOptions {
  database: Database;
  clock: Clock;
  log: Log;
  /** How often `config_version` is looked at. */
  pollMs?: number;
}

export interface Directory {
  /** The same object until something has changed. */
  snapshot(): DirectorySnapshot;
  /** Resolves when a snapshot that was read after this call is in force. */
  refresh(): Promise<void>;
  /** Answers how to stop being told. */
  onChange(callback: (snapshot: DirectorySnapshot) => void): () => void;
  close(): Promise<void>;
}

const READS_MAX = 5;

export async function openDirectory(options: DirectoryOptions): Promise<Directory> {
  const { database, log } = options;
  const listeners = new Set<(snapshot: DirectorySnapshot) => void>();
  let current = await readConsistent(database, log);
  let reading: Promise<void> | undefined;
  let queued: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    const next = await readConsistent(database, log);
    if (next.version === current.version) return;
    current = next;
    for (const listener of listeners) listener(next);
  };
  const start = (): Promise<void> => {
    reading = read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  // A read that is under way may have begun before the caller's change: one more follows it.
  const refresh = (): Promise<void> => {
    if (queued) return queued;
    if (!reading) return start();
    queued = reading
      .catch(() => undefined)
      .then(() => {
        queued = undefined;
        return start();
      });
    return queued;
  };
  const look = async (): Promise<void> => {
    if (reading || (await readVersion(database)) === current.version) return;
    await refresh();
  };
  const stopPolling = poll(look, options);
  return {
    snapshot: () => current,
    refresh,
    onChange(callback) {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
    async close() {
      await stopPolling();
      await Promise.allSettled([reading, queued]);
    },
  };
}

// One look at a time; that SQL is away, or is back, is told once.
function poll(look: () => Promise<void>, options: DirectoryOptions): () => Promise<void> {
  const { clock, log, pollMs = 500 } = options;
  let reachable = true;
  let looking: Promise<void> | undefined;
  const lookOnce = async (): Promise<void> => {
    try {
      await look();
      if (!reachable) log.info({}, 'the directory can be read again');
      reachable = true;
    } catch (error) {
      if (reachable) log.warn({ error }, 'the directory cannot be read; the last one stays');
      reachable = false;
    }
  };
  const stop = clock.every(pollMs, () => {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
    });
  });
  return async () => {
    stop();
    await looking;
  };
}

async function readVersion(database: Database): Promise<number> {
  const rows = await database.query<{ version: number }>('select version from config_version');
  return rows[0]?.version ?? 0;
}

// Rows read under one version that still stands afterwards belong together. A busy writer may
// spoil a few reads; then the older version is noted, so that the next look reads again.
async function readConsistent(database: Database, log: Log): Promise<DirectorySnapshot> {
  for (let reads = 1; ; reads += 1) {
    const version = await readVersion(database);
    const rows = await readRows(database, log);
    if (reads === READS_MAX || (await readVersion(database)) === version) {
      return { version, ...rows };
    }
  }
}
