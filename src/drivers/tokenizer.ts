// The door to tiktoken. Little texts are counted on the loop, where the encoder was loaded at
// start; everything else in one worker, which is started again if it dies.

import { Worker } from 'node:worker_threads';
import { CodedError } from '../core/errors.js';
import type { Encoding } from '../rules/tokens/encoding.js';
import { type Encoder, loadEncoder } from './tokenizer-encoder.js';
import type { CountReply, CountRequest } from './tokenizer-worker.js';

export interface TokenizerOptions {
  /** Encodings that little texts are counted in on the loop. The others go to the worker. */
  loopEncodings?: readonly Encoding[];
  /** Encodings that the worker is warmed with. */
  workerEncodings?: readonly Encoding[];
  /** The most that one call counts on the loop, in UTF-8 bytes over all its texts. */
  loopBytesMax?: number;
}

export interface Tokenizer {
  /** Tokens of one text: a number where it is little, else a promise. */
  count(encoding: Encoding, text: string): number | Promise<number>;
  /** The same for many texts at once, in their order: one message to the worker at the most. */
  countAll(encoding: Encoding, texts: readonly string[]): number[] | Promise<number[]>;
  /** Loads what the loop counts in, once; blocks for 0.1 to 0.3 s: do it before listening. */
  loadLoop(): void;
  /** Has the worker load its encodings, so that the first call that needs it does not wait. */
  warmWorker(): void;
  /** Ends the worker; counts that are under way are rejected. */
  close(): Promise<void>;
}

interface Waiting {
  resolve(counts: number[]): void;
  reject(error: Error): void;
}

// 2 KB take half a millisecond; handing them to the worker would cost the loop 0.05 ms and the
// call a wait behind others.
const LOOP_BYTES_MAX = 2_048;

export function openTokenizer(options: TokenizerOptions = {}): Tokenizer {
  const loopBytesMax = options.loopBytesMax ?? LOOP_BYTES_MAX;
  const pool = new CountingWorker();
  const onLoop = new Map<Encoding, Encoder>();

  function loadLoop(): void {
    for (const encoding of options.loopEncodings ?? []) {
      if (!onLoop.has(encoding)) onLoop.set(encoding, loadEncoder(encoding));
    }
  }

  // Until it is loaded the worker counts, which is as exact.
  function countAll(encoding: Encoding, texts: readonly string[]): number[] | Promise<number[]> {
    const encoder = onLoop.get(encoding);
    if (encoder === undefined || !areLittle(texts)) return pool.count(encoding, texts);
    return texts.map((text) => encoder.count(text));
  }

  // Bytes, not units: a character of Chinese takes three times as long as a letter.
  function areLittle(texts: readonly string[]): boolean {
    let bytes = 0;
    for (const text of texts) {
      bytes += text.length > loopBytesMax ? text.length : Buffer.byteLength(text);
      if (bytes > loopBytesMax) return false;
    }
    return true;
  }

  return {
    countAll,
    count(encoding, text) {
      const counts = countAll(encoding, [text]);
      return Array.isArray(counts) ? (counts[0] ?? 0) : counts.then(([first]) => first ?? 0);
    },
    loadLoop,
    warmWorker() {
      for (const encoding of options.workerEncodings ?? []) {
        // A worker that cannot load says so to the first call that needs it.
        pool.count(encoding, []).catch(() => undefined);
      }
    },
    async close() {
      for (const encoder of onLoop.values()) encoder.free();
      onLoop.clear();
      await pool.close();
    },
  };
}

class CountingWorker {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #closed = false;
  #lastId = 0;

  count(encoding: Encoding, texts: readonly string[]): Promise<number[]> {
    if (this.#closed) return Promise.reject(ended('is closed'));
    const worker = this.#started();
    this.#lastId += 1;
    const request: CountRequest = { id: this.#lastId, encoding, texts };
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      worker.ref();
      worker.postMessage(request);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const worker = this.#worker;
    this.#drop(worker, ended('was closed'));
    await worker?.terminate();
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL('./tokenizer-worker.js', import.meta.url));
    worker.on('message', (reply: CountReply) => {
      this.#waiting.get(reply.id)?.resolve(reply.counts);
      this.#waiting.delete(reply.id);
      // An idle worker must not keep the process alive.
      if (this.#waiting.size === 0) worker.unref();
    });
    worker.on('error', (error) => this.#drop(worker, ended('failed', error)));
    worker.on('exit', () => this.#drop(worker, ended('ended')));
    this.#worker = worker;
    return worker;
  }

  #drop(worker: Worker | undefined, error: Error): void {
    if (worker !== this.#worker) return;
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

function ended(how: string, cause?: Error): CodedError {
  const told = cause === undefined ? '' : `: ${cause.message}`;
  return new CodedError('internal_error', `the tokenizer's worker ${how}${told}`);
}
