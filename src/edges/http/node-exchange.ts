// An exchange over Node's own request and response: what Node's parser lets through and this
// gateway does not take is turned away here, before any door is looked at.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Operation } from '../../core/call.js';
import type { Clock } from '../../core/clock.js';
import { uuidV7 } from '../../core/id.js';
import type { Sink } from '../../core/sink.js';
import { collectBody, hasBody, refuseBody } from './body.js';
import type { Body, BodyOptions, Exchange } from './exchange.js';
import { type Said, saidIn } from './headers.js';
import { LINGER } from './limits.js';
import { createSink, type NodeSink } from './sink.js';
import type { Traffic } from './traffic.js';

export class NodeExchange implements Exchange {
  readonly path: string;
  readonly requestId: string;
  readonly arrivedMs: number;
  readonly said: Said;
  operation: Operation | undefined = undefined;
  #sink: NodeSink | undefined;
  #bodyAsked = false;

  constructor(
    readonly incoming: IncomingMessage,
    readonly outgoing: ServerResponse,
    /** The client waits for `100 Continue` before it sends its body. */
    readonly awaitsContinue: boolean,
    clock: Clock,
    readonly traffic: Traffic,
  ) {
    this.path = pathOf(this.url);
    this.said = saidIn(incoming.headers, incoming.rawHeaders);
    this.requestId = this.said.requestId ?? uuidV7(clock.nowMs());
    this.arrivedMs = clock.elapsedMs();
  }

  get method(): string {
    return this.incoming.method ?? '';
  }

  get url(): string {
    return this.incoming.url ?? '';
  }

  get answered(): boolean {
    return this.outgoing.headersSent || this.outgoing.destroyed;
  }

  draining(): boolean {
    return this.traffic.draining;
  }

  readBody(options: BodyOptions): Body | Promise<Body> {
    const refused = refuseBody(this.incoming, this.said, options);
    if (refused) return refused;
    this.#bodyAsked = true;
    if (this.awaitsContinue) this.outgoing.writeContinue();
    return collectBody(this.incoming, options);
  }

  answer(status: number, headers: Record<string, string>, body: string | Buffer): void {
    const { incoming, outgoing } = this;
    // By what was asked for and not by what has come: that is a matter of how the bytes arrived.
    const unread = hasBody(incoming) && !(this.#bodyAsked && incoming.complete);
    if (unread || this.draining()) headers.connection = 'close';
    outgoing.on('error', () => incoming.destroy());
    outgoing.writeHead(status, headers);
    if (!unread) {
      outgoing.end(body);
      return;
    }
    outgoing.write(body);
    linger(incoming, () => outgoing.end());
  }

  sink(): Sink {
    const { incoming, outgoing, traffic } = this;
    const sink = createSink(outgoing, this.requestId, () => traffic.draining);
    if (incoming.socket.destroyed || incoming.socket.readableEnded) sink.leave();
    this.#sink = sink;
    return sink;
  }

  leave(): void {
    this.#sink?.leave();
  }

  destroy(): void {
    this.outgoing.destroy();
  }
}

function pathOf(url: string): string {
  const query = url.includes('?') || url.includes('#') ? url.search(/[?#]/) : -1;
  return query < 0 ? url : url.slice(0, query);
}

// Reads on a little, so that what the client is still sending does not turn the close into a reset
// that would take our answer with it.
function linger(incoming: IncomingMessage, close: () => void): void {
  let bytes = 0;
  let closed = false;
  const finish = (): void => {
    if (closed) return;
    closed = true;
    clearTimeout(timer);
    close();
  };
  const timer = setTimeout(finish, LINGER.ms).unref();
  incoming.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER.bytesMax) finish();
  });
  incoming.on('end', finish);
  incoming.on('close', finish);
  incoming.on('error', finish);
  incoming.resume();
}
