// PGlite in a thread of its own: a batch of rows keeps it busy for tens of milliseconds, which the
// loop that relays streams must not feel. It serves its socket until it is told to close.

import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

/** What the worker is started with. */
export interface PgliteWork {
  /** Undefined: in memory. */
  dir: string | undefined;
  socketPath: string;
  /** The loop of the process comes first where both want the same core. */
  background: boolean;
  /** A data directory as a tar, to start from. */
  image: Uint8Array<ArrayBuffer> | undefined;
}

export type PgliteOrder = 'close' | 'image';
export type PgliteNote =
  /** `kept`: why its thread has the priority of any other, if it was to have less. */
  | { kind: 'ready'; kept?: string | undefined }
  | { kind: 'closed' }
  | { kind: 'image'; image: Uint8Array };

// One client and, while it reconnects, the one before it.
const MAX_CONNECTIONS = 4;

async function serve(work: PgliteWork): Promise<void> {
  const db = await PGlite.create({
    ...(work.dir === undefined ? {} : { dataDir: work.dir }),
    ...(work.image === undefined ? {} : { loadDataDir: new Blob([work.image]) }),
    relaxedDurability: false,
  });
  const server = new PGLiteSocketServer({
    db,
    path: work.socketPath,
    maxConnections: MAX_CONNECTIONS,
  });
  await server.start();
  parentPort?.on('message', (order: PgliteOrder) => {
    if (order === 'image') void sendImage(db);
    else void close(db, server);
  });
  note({ kind: 'ready', kept: work.background ? yieldCore() : undefined });
}

// A tenth of a contended core. Only Linux has a priority for each thread; elsewhere it would be
// that of the whole process.
const NICENESS = 10;

function yieldCore(): string | undefined {
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1);
    setPriority(Number(thread), NICENESS);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function sendImage(db: PGlite): Promise<void> {
  const file = await db.dumpDataDir('none');
  note({ kind: 'image', image: new Uint8Array(await file.arrayBuffer()) });
}

async function close(db: PGlite, server: PGLiteSocketServer): Promise<void> {
  await server.stop();
  await db.close();
  note({ kind: 'closed' });
  parentPort?.close();
}

function note(message: PgliteNote): void {
  parentPort?.postMessage(message);
}

await serve(workerData as PgliteWork);
