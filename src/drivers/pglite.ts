// The embedded database: PGlite in a worker thread, reached by the same driver as PostgreSQL
// through a message port.
// Who opens a directory holds its lock (`directory-lock.ts`): PGlite itself would let two in.

import { MessageChannel, Worker } from 'node:worker_threads';
import { OperatorError } from '../core/errors.js';
import type { Database } from './database.js';
import { PgliteStream } from './pglite-stream.js';
import type { PgliteNote, PgliteOrder, PgliteWork } from './pglite-worker.js';
import { openStream } from './postgres.js';

export interface PgliteOptions {
  /** Where the rows live; `memory` keeps nothing. */
  at: { dir: string } | 'memory';
  /** A data directory as a tar (from `image()`), to start a new one from. */
  image?: Uint8Array;
  /** Rows may wait: where a core is contended, the process itself comes first. */
  background?: boolean;
  onNotice?: (message: string) => void;
  /** Told once if the worker ends without being asked to: every later query fails. */
  onCrash?: (error: Error) => void;
}

export interface Pglite {
  database: Database;
  /** The whole data directory as a tar. No query may be running. */
  image(): Promise<Uint8Array>;
  /** Ends the connection, closes the files and ends the worker. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 30_000;

export async function openPglite(options: PgliteOptions): Promise<Pglite> {
  const work: PgliteWork = {
    dir: options.at === 'memory' ? undefined : options.at.dir,
    background: options.background ?? false,
    image: options.image && new Uint8Array(options.image),
  };
  const worker = new Worker(new URL('./pglite-worker.js', import.meta.url), {
    workerData: work,
    // Some of the process's own flags (`--input-type`) keep a worker from loading its file.
    execArgv: [],
  });
  const ended = new Promise<Error>((resolve) => {
    worker.once('error', (error: Error) => resolve(error));
    worker.once('exit', (code) => resolve(new Error(`its worker ended with code ${code}`)));
  });
  try {
    const { kept } = await answer(worker, ended, 'ready');
    if (kept !== undefined) options.onNotice?.(`its thread keeps its priority: ${kept}`);
  } catch (cause) {
    await worker.terminate();
    throw notOpened(work.dir, cause);
  }
  const database = openStream({
    connect: () => connect(worker, ended),
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    ...(options.onNotice && { onNotice: options.onNotice }),
  });
  let closing: Promise<void> | undefined;
  void ended.then((error) => closing ?? options.onCrash?.(error));
  const close = async () => {
    await database.close();
    await ask(worker, ended, 'close', 'closed').catch(() => worker.terminate());
  };
  const closeOnce = () => {
    closing ??= close();
    return closing;
  };
  return {
    database: { ...database, close: closeOnce },
    close: closeOnce,
    async image() {
      const note = await ask(worker, ended, 'image', 'image');
      return note.image;
    },
  };
}

async function connect(worker: Worker, ended: Promise<Error>): Promise<PgliteStream> {
  const gone = await Promise.race([ended, undefined]);
  if (gone) throw Object.assign(gone, { code: 'CONNECTION_CLOSED' });
  const { port1, port2 } = new MessageChannel();
  const order: PgliteOrder = { connect: port2 };
  worker.postMessage(order, [port2]);
  return new PgliteStream(port1);
}

function ask<K extends PgliteNote['kind']>(
  worker: Worker,
  ended: Promise<Error>,
  order: PgliteOrder,
  kind: K,
) {
  const answered = answer(worker, ended, kind);
  worker.postMessage(order);
  return answered;
}

/** The worker's next note of that kind, or what it died of. */
async function answer<K extends PgliteNote['kind']>(
  worker: Worker,
  ended: Promise<Error>,
  kind: K,
): Promise<Extract<PgliteNote, { kind: K }>> {
  let listener: (note: PgliteNote) => void = () => {};
  const noted = new Promise<Extract<PgliteNote, { kind: K }>>((resolve) => {
    listener = (note) => {
      if (note.kind === kind) resolve(note as Extract<PgliteNote, { kind: K }>);
    };
    worker.on('message', listener);
  });
  try {
    return await Promise.race([noted, ended.then((error) => Promise.reject(error))]);
  } finally {
    worker.off('message', listener);
  }
}

function notOpened(dir: string | undefined, cause: unknown): OperatorError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new OperatorError(
    `The embedded database ${dir ?? '(in memory)'} did not open: ${reason}`,
    dir === undefined
      ? 'Free some memory (it needs about 1 GB at its first start).'
      : 'Check that the directory may be written to and that its disk has room, restore it from ' +
          'a backup, or set DATABASE_URL to a PostgreSQL.',
    { cause },
  );
}
