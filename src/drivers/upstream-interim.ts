// Takes interim answers (`100 Continue`, `103 Early Hints`) out of what a socket reads, before the
// HTTP parser sees them: undici breaks the connection at a 100 that it did not ask for.

import type { Socket } from 'node:net';

const HEAD_BYTES_MAX = 16 * 1024;
const INTERIM = /^HTTP\/1\.[01] 1(?!01)\d\d[ \r\n]/;
const PREFIX_BYTES = 'HTTP/1.1 100 '.length;

/** Set to true when a request was written: the next bytes begin an answer. */
export interface AnswerAwaited {
  awaiting: boolean;
}

/** Wraps `read` of one socket. Costs nothing but a look at a flag once the answer has begun. */
export function skipInterim(socket: Socket, state: AnswerAwaited): void {
  const read = socket.read.bind(socket);
  let carried: Buffer | undefined;
  socket.read = (size?: number) => {
    const chunk = read(size) as Buffer | null;
    if (!state.awaiting || chunk === null) return chunk;
    let rest = carried ? Buffer.concat([carried, chunk]) : chunk;
    carried = undefined;
    for (;;) {
      const found = interimBytes(rest);
      if (found === 'unknown') {
        carried = rest;
        return null;
      }
      if (found === 0) {
        state.awaiting = false;
        return rest;
      }
      rest = rest.subarray(found);
      if (rest.length === 0) return null;
    }
  };
}

// How many bytes of interim answer `bytes` begins with; unknown until more has come.
function interimBytes(bytes: Buffer): number | 'unknown' {
  const start = bytes.toString('latin1', 0, PREFIX_BYTES);
  if (start.length < PREFIX_BYTES) {
    return 'HTTP/1.1 1'.startsWith(start.slice(0, 10)) ? 'unknown' : 0;
  }
  if (!INTERIM.test(start)) return 0;
  const end = bytes.indexOf('\r\n\r\n', 0, 'latin1');
  if (end !== -1) return end + 4;
  return bytes.length > HEAD_BYTES_MAX ? 0 : 'unknown';
}
