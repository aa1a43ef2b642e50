// Breaks a connection so that its reader sees a broken transfer, and not less than was written.

import type { Socket } from 'node:net';

const FLUSH_MS = 5_000;

/** What was written still goes out; a reader that takes nothing is not waited for. */
export function cut(socket: Socket): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), FLUSH_MS).unref();
  socket.once('close', () => clearTimeout(timer));
  socket.destroySoon();
}
