// Splits a byte stream into blocks of server-sent events: the lines up to a blank one. Lines end
// with CR, LF or CRLF, a chunk may end anywhere. Each byte is looked at once and no byte is lost:
// the blocks, put together, are the stream.

const LF = 10;
const CR = 13;

export interface BlockSink {
  /** A whole block with its blank line: `chunk` from `start` to `end`, after what is in `tail`. */
  block(tail: readonly Buffer[], chunk: Buffer, start: number, end: number): void;
  /** A part of a block that is longer than the cap: goes on unread. */
  oversized(parts: readonly Buffer[]): void;
  /** The first byte of the chunk is the LF of a CRLF whose CR had ended the last block. */
  lateLf(): void;
}

export class BlockSplitter {
  readonly #sink: BlockSink;
  readonly #bytesMax: number;
  #tail: Buffer[] = [];
  #tailBytes = 0;
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

  push(chunk: Buffer): void {
    const length = chunk.length;
    if (length === 0) return;
    let start = 0;
    let at = 0;
    if (this.#afterCr && chunk[0] === LF) {
      at = 1;
      if (this.#tailBytes === 0 && !this.#oversized) {
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
  takeTail(): Buffer[] {
    const tail = this.#tail;
    this.#tail = [];
    this.#tailBytes = 0;
    return tail;
  }

  #endBlock(chunk: Buffer, start: number, end: number): void {
    if (this.#oversized) {
      this.#oversized = false;
      this.#sink.oversized([chunk.subarray(start, end)]);
      return;
    }
    const tail = this.#tailBytes === 0 ? NO_TAIL : this.takeTail();
    this.#sink.block(tail, chunk, start, end);
  }

  #keepTail(part: Buffer): void {
    if (this.#oversized) {
      this.#sink.oversized([part]);
      return;
    }
    this.#tail.push(part);
    this.#tailBytes += part.length;
    if (this.#tailBytes > this.#bytesMax) {
      this.#oversized = true;
      this.#sink.oversized(this.takeTail());
    }
  }
}

const NO_TAIL: readonly Buffer[] = [];

function indexOf(chunk: Buffer, byte: number, from: number): number {
  const at = from < chunk.length ? chunk.indexOf(byte, from) : -1;
  return at === -1 ? chunk.length : at;
}
