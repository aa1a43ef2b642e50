// The connection between the driver and PGlite's thread: a message port in the shape of a socket.
// What is written in one go arrives in one go, and no byte passes through the kernel.

import { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';

/** Bytes of the wire protocol; each is whole messages. */
export type PgliteBytes = Uint8Array<ArrayBuffer>;

export class PgliteStream extends Duplex {
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    super({ allowHalfOpen: false });
    this.#port = port;
    port.on('message', (bytes: PgliteBytes) => {
      this.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    });
    port.once('close', () => this.destroy());
  }

  /** As a socket has it: what ends a connection looks whether it is open. */
  get readyState(): 'open' | 'closed' {
    return this.destroyed ? 'closed' : 'open';
  }

  override _write(bytes: Buffer, _encoding: string, written: () => void): void {
    // Memory of its own is handed over as it is: whoever wrote it does not keep it.
    const isWhole = bytes.byteLength === bytes.buffer.byteLength;
    const own = isWhole ? bytes : new Uint8Array(bytes);
    this.#port.postMessage(own, [own.buffer as ArrayBuffer]);
    written();
  }

  override _read(): void {}

  override _final(done: () => void): void {
    done();
    this.destroy();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#port.close();
    done(error);
  }
}
