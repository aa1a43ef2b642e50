// The chunked framing of HTTP/1.1: a chunk in one buffer, so that it goes out in one write.

/** A longer chunk is dearer to copy than to write in three parts. Its size has four digits. */
export const FRAMED_BYTES_MAX = 16 * 1024;

const CR = 13;
const LF = 10;
const HEX = Buffer.from('0123456789abcdef');

/** Of at least one byte, since an empty chunk would be the end. */
export function framed(bytes: Uint8Array): Buffer {
  const { length } = bytes;
  let at = length < 0x10 ? 1 : length < 0x100 ? 2 : length < 0x1000 ? 3 : 4;
  const frame = Buffer.allocUnsafe(at + length + 4);
  for (let digit = at - 1, rest = length; digit >= 0; digit -= 1, rest >>= 4) {
    frame[digit] = HEX[rest & 15]!;
  }
  frame[at] = CR;
  frame[at + 1] = LF;
  at += 2;
  frame.set(bytes, at);
  at += length;
  frame[at] = CR;
  frame[at + 1] = LF;
  return frame;
}
