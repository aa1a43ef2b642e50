// A connection whose socket tells the end of the upstream while its reader is held, as TLS does
// when the last records and the end come in one read.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Connection } from '#src/drivers/upstream-connection.js';

class Wire extends EventEmitter {
  writableLength = 0;
  destroyed = false;
  write = () => true;
  pause = () => this;
  resume = () => this;
  destroy(): this {
    this.destroyed = true;
    return this;
  }
}

function call() {
  const wire = new Wire();
  const lost: Connection[] = [];
  const connection = new Connection({
    key: 'one',
    dial: (opened) => {
      queueMicrotask(() => opened(null, wire as unknown as Socket));
      return wire as unknown as Socket;
    },
    onLost: (gone) => lost.push(gone),
    headBytesMax: 1024,
    keepAliveMs: 1000,
  });
  const seen = { body: '', ends: [] as string[] };
  const user = {
    onWritten: () => {},
    onHead: () => {},
    onBody: (bytes: Buffer) => {
      seen.body += bytes.toString();
      if (seen.body === 'begin') connection.hold();
    },
    onDone: () => seen.ends.push('done'),
    onBroken: (kind: string) => seen.ends.push(kind),
  };
  connection.request(user, 'GET / HTTP/1.1\r\n\r\n', []);
  return { wire, connection, seen, lost };
}

function endsWhileHeld(wire: Wire, head: string, body: readonly string[]): void {
  wire.emit('data', Buffer.from(`HTTP/1.1 200 OK\r\n${head}\r\n${body[0]}`));
  for (const part of body.slice(1)) wire.emit('data', Buffer.from(part));
  wire.emit('end');
  wire.emit('close');
}

describe('the end of the upstream while the reader is held', () => {
  it('comes after all that came before it', async () => {
    const { wire, connection, seen } = call();
    await Promise.resolve();
    endsWhileHeld(wire, '', ['begin', ' and', ' end']);
    expect(seen).toEqual({ body: 'begin', ends: [] });
    connection.resume();
    expect(seen).toEqual({ body: 'begin and end', ends: ['done'] });
  });

  it('is no failure of an answer that is whole, and its connection is not kept', async () => {
    const { wire, connection, seen } = call();
    await Promise.resolve();
    endsWhileHeld(wire, 'content-length: 9\r\n', ['begin', 'ning']);
    connection.resume();
    expect(seen).toEqual({ body: 'beginning', ends: ['done'] });
    expect(connection.keep()).toBe(false);
  });

  it('is a failure of an answer that is not', async () => {
    const { wire, connection, seen } = call();
    await Promise.resolve();
    endsWhileHeld(wire, 'content-length: 99\r\n', ['begin', 'ning']);
    expect(seen.ends).toEqual([]);
    connection.resume();
    expect(seen).toEqual({ body: 'beginning', ends: ['reset'] });
  });
});
