// How a record lies in a segment: `<crc32> <length> <json>\n`, both numbers in eight hex digits.
// JSON has no raw newline, so after damage the next newline is where reading can go on, and what
// is accepted has passed its checksum: damage costs a record, never makes a wrong one.

import { crc32 } from 'node:zlib';

const HEADER_BYTES = 18;
const NEWLINE = 0x0a;
const SPACE = 0x20;

// Lines follow each other in one piece of memory, so that those of a group are one already.
const SLAB_BYTES = 64 * 1024;
const BYTES_A_CHAR_MAX = 3;
let slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
let used = 0;

/** One record as its line, newline included. The text must be JSON on one line. */
export function frame(text: string): Buffer {
  const most = HEADER_BYTES + text.length * BYTES_A_CHAR_MAX + 1;
  if (most > SLAB_BYTES) {
    const bytes = HEADER_BYTES + Buffer.byteLength(text) + 1;
    return frameInto(Buffer.allocUnsafeSlow(bytes), 0, text);
  }
  if (used + most > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  const line = frameInto(slab, used, text);
  used += line.length;
  return line;
}

function frameInto(bytes: Buffer, at: number, text: string): Buffer {
  const end = at + HEADER_BYTES + bytes.write(text, at + HEADER_BYTES);
  writeHex(bytes, at, crc32(bytes.subarray(at + HEADER_BYTES, end)));
  writeHex(bytes, at + 9, end - at - HEADER_BYTES);
  bytes[end] = NEWLINE;
  return bytes.subarray(at, end + 1);
}

const HEX = Buffer.from('0123456789abcdef');

/** Eight digits and the space behind them. */
function writeHex(line: Buffer, at: number, value: number): void {
  for (let digit = 0; digit < 8; digit += 1) {
    line[at + digit] = HEX[(value >>> (28 - digit * 4)) & 15]!;
  }
  line[at + 8] = SPACE;
}

export interface FrameVisitor {
  record(text: string, offset: number, bytes: number): void;
  /** Bytes that are no record, with a newline after them: not a torn end. */
  damage(offset: number, bytes: number): void;
}

/** Visits every whole record; answers where an unfinished last one begins, or the length. */
export function readFrames(bytes: Buffer, visitor: FrameVisitor): number {
  let at = 0;
  while (at < bytes.length) {
    const end = recordEnd(bytes, at);
    if (end !== undefined) {
      const next = Math.min(end + 1, bytes.length);
      visitor.record(bytes.toString('utf8', at + HEADER_BYTES, end), at, next - at);
      at = next;
      continue;
    }
    const newline = bytes.indexOf(NEWLINE, at);
    if (newline < 0) return at;
    visitor.damage(at, newline + 1 - at);
    at = newline + 1;
  }
  return at;
}

// Where the record at `at` ends (its newline's place); undefined if there is no whole, sound one.
function recordEnd(bytes: Buffer, at: number): number | undefined {
  const header = bytes.toString('latin1', at, at + HEADER_BYTES);
  if (!/^[0-9a-f]{8} [0-9a-f]{8} $/.test(header)) return undefined;
  const end = at + HEADER_BYTES + Number.parseInt(header.slice(9, 17), 16);
  if (end > bytes.length) return undefined;
  const sum = crc32(bytes.subarray(at + HEADER_BYTES, end));
  return hex(sum) === header.slice(0, 8) ? end : undefined;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
