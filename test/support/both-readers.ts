// The same bytes to a server with the lane and to one without it, and everything that came back.

import { type Edge, openEdge } from './edge.js';
import { rawSocket } from './raw-http.js';

export interface Both {
  lane: Edge;
  node: Edge;
  close(): Promise<void>;
}

/** Short waits, so that what never comes is soon given up. */
export async function openBoth(): Promise<Both> {
  const waits = { headersTimeoutMs: 300, keepAliveMs: 600, requestTimeoutMs: 2_000 };
  const options = { ...waits, bodyIdleMs: 200, bodyBytesMax: 10_000 };
  const [lane, node] = await Promise.all([
    openEdge(options),
    openEdge({ ...options, lane: false }),
  ]);
  return {
    lane,
    node,
    async close() {
      await Promise.all([lane.server.close(0), node.server.close(0)]);
    },
  };
}

/**
 * Each answer until the server closed the connection, without what differs each time. A turn's
 * bytes are sent when the turn before it has been answered; what never comes is answered with 408.
 */
export async function heardFrom(port: number, turns: readonly (readonly Buffer[])[]) {
  const socket = await rawSocket(port);
  let text = '';
  let closed = false;
  let tell = (): void => {};
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    tell();
  });
  socket.on('error', () => {
    text += '<reset>';
  });
  socket.on('close', () => {
    closed = true;
    tell();
  });
  const until = async (isDone: () => boolean): Promise<void> => {
    while (!closed && !isDone()) {
      await new Promise<void>((resolve) => {
        tell = resolve;
      });
    }
  };
  for (const pieces of turns) {
    const before = answersIn(text).length;
    for (const piece of pieces) {
      if (!socket.writable) break;
      await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
      await new Promise(setImmediate);
    }
    if (pieces.some((piece) => piece.length > 0)) {
      await until(() => answersIn(text).length > before);
    }
  }
  await until(() => false);
  return answersIn(text);
}

function answersIn(text: string): string[] {
  const answers: string[] = [];
  let at = 0;
  while (at < text.length) {
    const headEnd = text.indexOf('\r\n\r\n', at) + 4;
    const length = /content-length: (\d+)/.exec(text.slice(at, headEnd))?.[1] ?? '0';
    const end = headEnd < 4 ? text.length : headEnd + Number(length);
    if (end > text.length) break;
    answers.push(text.slice(at, end).replace(DATE, 'Date: now').replace(ID, '<id>'));
    at = end;
  }
  // Nobody reads on after an answer that ends the connection.
  const last = answers.findIndex((answer) => CLOSES.test(answer));
  return last < 0 ? answers : answers.slice(0, last + 1);
}

const CLOSES = /^connection: close\r$/im;

const DATE = /^Date: .*$/gm;
const ID = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}/g;

/**
 * Node reads ahead: at bytes that are no request it gives up those before them that it has not
 * answered yet, which depends on how the bytes arrive. The lane reads one after another and answers
 * those first, and nothing after one that ends the connection. Otherwise the answers are the same.
 */
export function isAlike(lane: readonly string[], node: readonly string[]): boolean {
  let same = 0;
  while (same < lane.length && lane[same] === node[same]) same += 1;
  const [mine, theirs] = [lane.slice(same), node.slice(same)];
  if (mine.length === 0 && theirs.length === 0) return true;
  return gaveUp(theirs, mine) || gaveUp(mine, theirs);
}

/** Whether one is at most the parser's refusal of what comes after the other's answers. */
function gaveUp([refusal, ...more]: readonly string[], answers: readonly string[]): boolean {
  if (more.length > 0 || refusal?.includes('Date: now')) return false;
  const last = answers.at(-1) ?? '';
  return last === refusal || CLOSES.test(last);
}

/** Cut into pieces at these shares of its length. */
export function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length];
  const sorted = ends.sort((a, b) => a - b);
  return sorted.map((end, index) => bytes.subarray(index === 0 ? 0 : sorted[index - 1], end));
}
