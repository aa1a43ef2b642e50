// PGlite in a thread of its own: a batch of rows keeps it busy for tens of milliseconds, which the
// loop that relays streams must not feel. It serves one connection after another, each a message
// port, until it is told to close.

import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import type { PgliteBytes } from './pglite-stream.js';

/** What the worker is started with. */
export interface PgliteWork {
  /** Undefined: in memory. */
  dir: string | undefined;
  /** The loop of the process comes first where both want the same core. */
  background: boolean;
  /** A data directory as a tar, to start from. */
  image: Uint8Array<ArrayBuffer> | undefined;
}

export type PgliteOrder = 'close' | 'image' | { connect: MessagePort };
export type PgliteNote =
  /** `kept`: why its thread has the priority of any other, if it was to have less. */
  | { kind: 'ready'; kept?: string | undefined }
  | { kind: 'closed' }
  | { kind: 'image'; image: Uint8Array };

async function serve(work: PgliteWork): Promise<void> {
  const db = await PGlite.create({
    ...(work.dir === undefined ? {} : { dataDir: work.dir }),
    ...(work.image === undefined ? {} : { loadDataDir: new Blob([work.image]) }),
    relaxedDurability: false,
  });
  const inTurn = turns();
  parentPort?.on('message', (order: PgliteOrder) => {
    if (order === 'image') void inTurn(() => sendImage(db));
    else if (order === 'close') void inTurn(() => close(db));
    else connect(db, order.connect, inTurn);
  });
  note({ kind: 'ready', kept: work.background ? yieldCore() : undefined });
}

type InTurn = (work: () => Promise<void>) => Promise<void>;

function turns(): InTurn {
  let last = Promise.resolve();
  return (work) => {
    last = last.then(work);
    return last;
  };
}

// All connections are one backend: what the one before left open ends with it.
function connect(db: PGlite, port: MessagePort, inTurn: InTurn): void {
  void inTurn(async () => {
    if (db.isInTransaction()) await db.exec('rollback');
  });
  port.on('message', (bytes: PgliteBytes) => {
    void inTurn(() => answer(db, port, bytes).catch(() => port.close()));
  });
}

async function answer(db: PGlite, port: MessagePort, bytes: PgliteBytes): Promise<void> {
  const parts: Uint8Array[] = [];
  await db.runExclusive(() =>
    db.execProtocolRawStream(bytes, { onRawData: (part) => void parts.push(part.slice()) }),
  );
  const [first, ...more] = parts;
  if (!first) return;
  const whole = more.length === 0 ? first : new Uint8Array(Buffer.concat(parts));
  port.postMessage(whole, [whole.buffer as ArrayBuffer]);
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

async function close(db: PGlite): Promise<void> {
  await db.close();
  note({ kind: 'closed' });
  parentPort?.close();
}

function note(message: PgliteNote): void {
  parentPort?.postMessage(message);
}

await serve(workerData as PgliteWork);
