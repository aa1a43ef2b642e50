// The worker that counts what is large. Jobs take turns of a few milliseconds, so that a short
// text behind a very long one does not wait for all of it.

import { setImmediate } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { assert } from '../core/assert.js';
import type { Encoding } from '../rules/tokens/encoding.js';
import { type Encoder, loadEncoder } from './tokenizer-encoder.js';

export interface CountRequest {
  id: number;
  encoding: Encoding;
  texts: readonly string[];
}

/** `warm` asks only that the encoding be loaded: no texts, no counts. */
export interface CountReply {
  id: number;
  counts: number[];
}

interface Job {
  request: CountRequest;
  counts: number[];
  /** Of the text at `counts.length`. */
  parts: Generator<number> | undefined;
  sum: number;
}

// Some five milliseconds of encoding.
const TURN_TOKENS = 8_192;
const encoders = new Map<Encoding, Encoder>();
const jobs: Job[] = [];
let running = false;
const port = parentPort;
assert(port !== null, 'the tokenizer worker runs in a worker thread');

port.on('message', (request: CountRequest) => {
  jobs.push({ request, counts: [], parts: undefined, sum: 0 });
  if (!running) void run();
});

async function run(): Promise<void> {
  running = true;
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    if (turn(job)) port?.postMessage({ id: job.request.id, counts: job.counts } as CountReply);
    else jobs.push(job);
    await setImmediate();
  }
  running = false;
}

/** Counts on for one turn; whether the job is done. */
function turn(job: Job): boolean {
  const encoder = encoderOf(job.request.encoding);
  let counted = 0;
  while (job.counts.length < job.request.texts.length) {
    job.parts ??= encoder.parts(job.request.texts[job.counts.length] ?? '');
    const step = job.parts.next();
    if (step.done === true) {
      job.counts.push(job.sum);
      job.parts = undefined;
      job.sum = 0;
    } else {
      job.sum += step.value;
      counted += step.value;
    }
    if (counted >= TURN_TOKENS) break;
  }
  return job.counts.length === job.request.texts.length;
}

function encoderOf(encoding: Encoding): Encoder {
  const held = encoders.get(encoding);
  if (held !== undefined) return held;
  const loaded = loadEncoder(encoding);
  encoders.set(encoding, loaded);
  return loaded;
}
