// Splits a byte stream into blocks of server-sent events: the lines up to a blank one. Lines end
// with CR, LF or CRLF, a chunk may end anywhere. Each byte is looked at once and no byte is lost:
// the blocks, put together, are the stream.

const LF = 10;
const CR = 13;

export interface BlockSink {
  /** A whole block with its blank line: `chunk` from `start` to `end`, after what is in `tail`. */
  block(tail: Buffer | undefined, chunk: Buffer, start: number, end: number): void;
  /** A part of a block that is longer than the cap: goes on unread. */
  oversized(part: Buffer): void;
  /** The first byte of the chunk is the LF of a CRLF whose CR had ended the last block. */
  lateLf(): void;
}

export class BlockSplitter {
  readonly #sink: BlockSink;
  readonly #bytesMax: number;
  readonly #tail = new Tail();
  /** The current line has no byte yet. */
  #lineEmpty = true;
  #afterCr = false;
  #oversized = false;

  constructor(sink: BlockSink, bytesMax: number) {
    this.#sink = sink;
    this.#bytesMax = bytesMax;
  }

  /** Whether the stream stands inside a block of which a part has already gone on. */
  get insideOversized(): boolean {
    return this.#oversized;
  }

  /** Whether the last block ended with a CR whose LF, if it has one, is still to come. */
  get awaitsLf(): boolean {
    return this.#afterCr && this.#tail.length === 0 && !this.#oversized;
  }

  push(chunk: Buffer): void {
    const length = chunk.length;
    if (length === 0) return;
    let start = 0;
    let at = 0;
    if (this.#afterCr && chunk[0] === LF) {
      at = 1;
      if (this.#tail.length === 0 && !this.#oversized) {
        this.#sink.lateLf();
        start = 1;
      }
    }
    this.#afterCr = false;
    let lf = indexOf(chunk, LF, at);
    let cr = indexOf(chunk, CR, at);
    while (at < length) {
      const end = Math.min(lf, cr);
      if (end === length) {
        this.#lineEmpty = false;
        break;
      }
      const blank = this.#lineEmpty && end === at;
      at = end + 1;
      if (end === cr) {
        if (at === length) this.#afterCr = true;
        else if (chunk[at] === LF) at += 1;
        cr = indexOf(chunk, CR, at);
      }
      if (lf < at) lf = indexOf(chunk, LF, at);
      this.#lineEmpty = true;
      if (blank) {
        this.#endBlock(chunk, start, at);
        start = at;
      }
    }
    if (start < length) this.#keepTail(chunk.subarray(start));
  }

  /** What is left of a block that never ended. */
  takeTail(): Buffer | undefined {
    return this.#tail.take();
  }

  #endBlock(chunk: Buffer, start: number, end: number): void {
    if (this.#oversized) {
      this.#oversized = false;
      this.#sink.oversized(chunk.subarray(start, end));
      return;
    }
    this.#sink.block(this.#tail.take(), chunk, start, end);
  }

  #keepTail(part: Buffer): void {
    if (this.#oversized) {
      this.#sink.oversized(part);
      return;
    }
    this.#tail.add(part);
    if (this.#tail.length > this.#bytesMax) {
      this.#oversized = true;
      const all = this.#tail.take();
      if (all) this.#sink.oversized(all);
    }
  }
}

const TAIL_BYTES_FIRST = 4096;

// The parts of a block so far. One part is kept as it is; more are gathered in a buffer that
// doubles, so that a megabyte that comes byte by byte is neither a million objects nor quadratic.
class Tail {
  length = 0;
  #bytes: Buffer | undefined;

  add(part: Buffer): void {
    const length = this.length + part.length;
    if (!this.#bytes || this.length === 0) {
      this.#bytes = part;
    } else {
      if (this.#bytes.length < length) {
        const grown = Buffer.allocUnsafeSlow(Math.max(2 * length, TAIL_BYTES_FIRST));
        this.#bytes.copy(grown, 0, 0, this.length);
        this.#bytes = grown;
      }
      part.copy(this.#bytes, this.length);
    }
    this.length = length;
  }

  take(): Buffer | undefined {
    const all = this.length === 0 ? undefined : this.#bytes?.subarray(0, this.length);
    this.#bytes = undefined;
    this.length = 0;
    return all;
  }
}

function indexOf(chunk: Buffer, byte: number, from: number): number {
  const at = from < chunk.length ? chunk.indexOf(byte, from) : -1;
  return at === -1 ? chunk.length : at;
}
