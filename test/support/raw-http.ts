// Bytes to a server and back, without a client in between that would mend what is broken.

import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  /** 0 if there was no answer. */
  status: number;
  headers: Record<string, string>;
  body: string;
  /** Everything that came. */
  text: string;
  /** Whether the server closed the connection, and whether by a reset. */
  closed: boolean;
  reset: boolean;
}

export function rawSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends the pieces and reads one answer; `untilClose` reads on until the server closes. */
export async function sendRaw(
  port: number,
  pieces: string | Buffer | readonly (string | Buffer)[],
  options: { untilClose?: boolean } = {},
): Promise<RawAnswer> {
  const socket = await rawSocket(port);
  const state = { text: '', closed: false, reset: false };
  const done = new Promise<void>((resolve) => {
    const look = () => {
      if (!options.untilClose && isWhole(state.text)) resolve();
    };
    socket.on('data', (chunk) => {
      state.text += chunk.toString('latin1');
      look();
    });
    socket.on('error', () => {
      state.reset = true;
    });
    socket.on('end', () => {
      state.closed = true;
      resolve();
    });
    socket.on('close', () => {
      state.closed = true;
      resolve();
    });
  });
  for (const piece of typeof pieces === 'string' || Buffer.isBuffer(pieces) ? [pieces] : pieces) {
    if (socket.writable) socket.write(piece);
  }
  await done;
  socket.destroy();
  return { ...parse(state.text), ...state };
}

function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return false;
  const { status, headers, body } = parse(text);
  if (status === 100) return isWhole(text.slice(headEnd + 4));
  if (status === 204) return true;
  const length = headers['content-length'];
  if (length !== undefined) return body.length >= Number(length);
  return headers['transfer-encoding'] === 'chunked' && body.endsWith('0\r\n\r\n');
}

function parse(text: string): { status: number; headers: Record<string, string>; body: string } {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return { status: 0, headers: {}, body: '' };
  const [first = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(first.split(' ')[1]), headers, body: text.slice(headEnd + 4) };
}
