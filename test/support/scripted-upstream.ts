// An upstream that does to each request what a test's plan says, byte by byte, and remembers every
// request it got: what was in it, how much of an answer it wrote, when its socket closed. Plans are
// plain JSON, so that the same thing can run in a process of its own (`upstream-process.ts`).

import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { seeded, splitAtRandom } from './seeded.js';

export interface UpstreamPlan {
  /** 200 unless told. */
  status?: number;
  /** `content-type: text/event-stream` unless told. */
  headers?: Record<string, string>;
  body?: string;
  /** A file whose bytes are the body: a recorded stream. */
  replay?: string;
  /** Where the body is cut into writes; else it is one write. */
  cuts?: { seed: number; count: number } | { at: number[] };
  /** Before the head is written, and between two writes of the body. */
  firstByteMs?: number;
  paceMs?: number;
  /** Waits for `release()` before anything is written. */
  hold?: boolean;
  /** Never answers; or writes so many bytes of the body and then no more. */
  silent?: boolean;
  stallAt?: number;
  /** Breaks the connection after so many bytes of the body. */
  dieAt?: number;
  /** How it breaks: an orderly close, or a reset. */
  dieBy?: 'fin' | 'reset';
  /** How the body's end is told: chunked unless told. */
  framing?: 'chunked' | 'length' | 'close';
  /** Statuses written before the answer's own. */
  interim?: number[];
  /** Written in place of a whole answer, as it is; the connection closes after it. */
  raw?: string;
}

export interface Received {
  id: number;
  method: string;
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  model: string | undefined;
  /** The connection that it came on, counted from 1. */
  connection: number;
  /** Bytes of the answer's body handed to the socket. */
  bytesWritten: number;
  /** The answer was written to its end. */
  complete: boolean;
  receivedAtMs: number;
  /** When the reader or we closed the exchange before its end, or its end was written. */
  closedAtMs: number | undefined;
}

export type UpstreamEvent =
  | { event: 'received'; request: Received }
  | { event: 'written'; id: number; bytesWritten: number; atMs: number }
  | { event: 'closed'; id: number; bytesWritten: number; complete: boolean; atMs: number };

export interface ScriptedUpstream {
  port: number;
  /** `http://127.0.0.1:<port>`. */
  url: string;
  /** What is done where nothing else is said. */
  plan(plan: UpstreamPlan): void;
  /** For the next requests, in order; comes before every other plan. */
  enqueue(...plans: UpstreamPlan[]): void;
  /** For requests whose body names this model. */
  forModel(model: string, plan: UpstreamPlan): void;
  /** Lets every held answer go, those to come too. */
  release(): void;
  /** Answers to come are held again, until the next `release()`. */
  holdAgain(): void;
  readonly requests: readonly Received[];
  /** Resolves once so many requests have been received, all told. */
  received(count: number): Promise<void>;
  /** Resolves once the exchange of that request is over. */
  closed(id: number): Promise<Received>;
  readonly openConnections: number;
  close(): Promise<void>;
}

const nowMs = () => performance.timeOrigin + performance.now();

export async function openScriptedUpstream(
  tell: (event: UpstreamEvent) => void = () => {},
): Promise<ScriptedUpstream> {
  const upstream = new Scripted(tell);
  await upstream.listen();
  return upstream;
}

class Scripted implements ScriptedUpstream {
  readonly requests: Received[] = [];
  readonly #server: Server;
  readonly #tell: (event: UpstreamEvent) => void;
  readonly #queue: UpstreamPlan[] = [];
  readonly #byModel = new Map<string, UpstreamPlan>();
  readonly #sockets = new Map<Socket, number>();
  readonly #watchers = new Set<() => void>();
  #default: UpstreamPlan = {};
  #connections = 0;
  #released = false;

  constructor(tell: (event: UpstreamEvent) => void) {
    this.#tell = tell;
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      void this.#serve(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.#connections += 1;
      this.#sockets.set(socket, this.#connections);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.#changed();
      });
    });
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  plan(plan: UpstreamPlan): void {
    this.#default = plan;
  }

  enqueue(...plans: UpstreamPlan[]): void {
    this.#queue.push(...plans);
  }

  forModel(model: string, plan: UpstreamPlan): void {
    this.#byModel.set(model, plan);
  }

  release(): void {
    this.#released = true;
    this.#changed();
  }

  holdAgain(): void {
    this.#released = false;
  }

  received(count: number): Promise<void> {
    return this.#until(() => this.requests.length >= count);
  }

  async closed(id: number): Promise<Received> {
    await this.#until(() => this.requests[id]?.closedAtMs !== undefined);
    return this.requests[id]!;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.release();
    for (const socket of this.#sockets.keys()) socket.destroy();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return;
    }
    const received = this.#note(request, Buffer.concat(chunks).toString());
    const plan = this.#planFor(received);
    response.once('close', () => this.#end(received));
    await this.#perform(plan, received, response);
  }

  #note(request: IncomingMessage, body: string): Received {
    const received: Received = {
      id: this.requests.length,
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body,
      model: modelOf(body),
      connection: this.#sockets.get(request.socket) ?? 0,
      bytesWritten: 0,
      complete: false,
      receivedAtMs: nowMs(),
      closedAtMs: undefined,
    };
    this.requests.push(received);
    this.#tell({ event: 'received', request: received });
    this.#changed();
    return received;
  }

  #planFor(received: Received): UpstreamPlan {
    const byModel = received.model === undefined ? undefined : this.#byModel.get(received.model);
    return this.#queue.shift() ?? byModel ?? this.#default;
  }

  async #perform(plan: UpstreamPlan, received: Received, response: ServerResponse): Promise<void> {
    if (plan.hold) await this.#until(() => this.#released || response.destroyed);
    if (plan.firstByteMs) await sleep(plan.firstByteMs);
    if (plan.silent || response.destroyed) return;
    const socket = response.socket!;
    if (plan.raw !== undefined) {
      socket.end(Buffer.from(plan.raw, 'latin1'));
      return;
    }
    for (const status of plan.interim ?? []) {
      socket.write(`HTTP/1.1 ${status} Interim\r\n\r\n`);
      if (plan.paceMs) await sleep(plan.paceMs);
    }
    const body = bodyOf(plan);
    writeHead(plan, body, response);
    if (await this.#writeBody(plan, body, received, response)) {
      received.complete = true;
      if (plan.framing === 'close') response.socket?.end();
      else response.end();
    }
  }

  /** Answers whether the body was written to its end. */
  async #writeBody(
    plan: UpstreamPlan,
    body: Buffer,
    received: Received,
    response: ServerResponse,
  ): Promise<boolean> {
    const stop = Math.min(plan.dieAt ?? body.length, plan.stallAt ?? body.length);
    for (const [i, chunk] of chunksOf(plan, body.subarray(0, stop)).entries()) {
      if (i > 0 && plan.paceMs) await sleep(plan.paceMs);
      if (response.destroyed) return false;
      const flushed = new Promise<void>((resolve) => response.write(chunk, () => resolve()));
      received.bytesWritten += chunk.length;
      const atMs = nowMs();
      this.#tell({ event: 'written', id: received.id, bytesWritten: received.bytesWritten, atMs });
      await flushed;
    }
    if (plan.stallAt !== undefined) return false;
    if (plan.dieAt === undefined) return true;
    if (plan.dieBy === 'reset') response.socket?.resetAndDestroy();
    else response.socket?.destroySoon();
    return false;
  }

  #end(received: Received): void {
    received.closedAtMs = nowMs();
    const { id, bytesWritten, complete, closedAtMs: atMs } = received;
    this.#tell({ event: 'closed', id, bytesWritten, complete, atMs });
    this.#changed();
  }

  #changed(): void {
    for (const watch of [...this.#watchers]) watch();
  }

  #until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const watch = () => {
        if (!condition()) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
    });
  }
}

function modelOf(body: string): string | undefined {
  try {
    const model = (JSON.parse(body) as { model?: unknown }).model;
    return typeof model === 'string' ? model : undefined;
  } catch {
    return undefined;
  }
}

function bodyOf(plan: UpstreamPlan): Buffer {
  return plan.replay === undefined ? Buffer.from(plan.body ?? '') : readFileSync(plan.replay);
}

function writeHead(plan: UpstreamPlan, body: Buffer, response: ServerResponse): void {
  const headers: Record<string, string> = { 'content-type': 'text/event-stream', ...plan.headers };
  if (plan.framing === 'length') headers['content-length'] = String(body.length);
  if (plan.framing === 'close') {
    headers.connection = 'close';
    response.useChunkedEncodingByDefault = false;
  }
  response.writeHead(plan.status ?? 200, headers);
  response.flushHeaders();
}

function chunksOf({ cuts }: UpstreamPlan, body: Buffer): Buffer[] {
  if (body.length === 0) return [];
  if (cuts === undefined) return [body];
  if ('seed' in cuts) return splitAtRandom(body, cuts.count, seeded(cuts.seed));
  const places = [0, ...cuts.at.filter((at) => at > 0 && at < body.length)];
  return places.map((start, i) => body.subarray(start, places[i + 1] ?? body.length));
}
