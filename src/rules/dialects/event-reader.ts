// What the readers of all wire formats share: whole events go on unchanged in the push that
// completed them, the terminator and what comes after it is held back. What cannot be read goes on
// too, and is noted: the stream is the client's, the meter only looks.

import { isJsonObject, type JsonObject, parseJson } from '../../core/json.js';
import { type BlockSink, BlockSplitter } from './sse-blocks.js';

/** Goes on; is left out; is the terminator, after which nothing goes on. */
export type Fate = 'pass' | 'drop' | 'hold';

const ANOMALIES_MAX = 32;

export abstract class EventReader implements BlockSink {
  textEvents = 0;
  readonly anomalies: string[] = [];
  terminated = false;
  /** The block that ended the stream, as it came. */
  terminator: Buffer | undefined;

  readonly #splitter: BlockSplitter;
  #text = '';
  #firstBlock = true;
  #lastFate: Fate = 'pass';
  #out: Buffer[] = [];
  // How to take back what the last push noted for an ending, newest last.
  readonly #undo: (() => void)[] = [];
  #owedLf = false;
  #retracted = false;
  // What of the current chunk goes out and is not yet in `#out`.
  #chunk: Buffer = EMPTY;
  #runStart = 0;
  #runEnd = 0;

  /** A longer event goes on unread. */
  constructor(eventBytesMax: number) {
    this.#splitter = new BlockSplitter(this, eventBytesMax);
  }

  /** An event's whole block lies in `bytes`, from `start` up to `end`. */
  protected abstract readBlock(bytes: Buffer, start: number, end: number): Fate;

  push(chunk: Buffer): readonly Buffer[] {
    if (this.terminated) return NOTHING;
    this.#undo.length = 0;
    this.#owedLf = this.owesLf;
    this.#retracted = false;
    this.#chunk = chunk;
    this.#runStart = 0;
    this.#runEnd = 0;
    this.#splitter.push(chunk);
    this.#flushRun();
    this.#chunk = EMPTY;
    const out = this.#out;
    this.#out = [];
    return out;
  }

  end(): readonly Buffer[] {
    if (this.terminated) return NOTHING;
    const tail = this.#splitter.takeTail();
    if (!tail) return NOTHING;
    const block = tail.toString('latin1');
    // An event without its last line is lost to every client, as the standard says; passed on, it
    // would run into what is written after it. Some leave out only the blank line: it is added.
    if (/^data:/m.test(block) && !isWhole(payloadOf(block))) {
      this.note('the last event was cut off');
      return NOTHING;
    }
    const fate = this.readBlock(tail, 0, tail.length);
    const whole = [tail, blankLine(block)];
    if (fate === 'hold') this.#hold(Buffer.concat(whole));
    return fate === 'pass' ? whole : NOTHING;
  }

  get midEvent(): boolean {
    return this.#splitter.insideOversized;
  }

  /** Whether what went out ends with half a CRLF: who writes after it writes the LF first. */
  get owesLf(): boolean {
    if (this.#retracted) return this.#owedLf;
    return this.#lastFate === 'pass' && this.#splitter.awaitsLf;
  }

  retract(): void {
    for (const undo of this.#undo.splice(0).reverse()) undo();
    this.#retracted = true;
  }

  takeText(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  block(tail: Buffer | undefined, chunk: Buffer, start: number, end: number): void {
    if (this.terminated) return;
    const whole = tail && Buffer.concat([tail, chunk.subarray(start, end)]);
    this.#lastFate = whole
      ? this.readBlock(whole, 0, whole.length)
      : this.readBlock(chunk, start, end);
    if (this.#lastFate === 'hold') this.#hold(whole ?? Buffer.from(chunk.subarray(start, end)));
    if (this.#lastFate !== 'pass') return;
    if (tail) this.#out.push(tail);
    this.#addRun(start, end);
  }

  oversized(part: Buffer): void {
    if (this.terminated) return;
    this.note('an event over the cap went on unread');
    this.#lastFate = 'pass';
    this.#flushRun();
    this.#out.push(part);
  }

  lateLf(): void {
    if (this.#lastFate === 'pass') this.#addRun(0, 1);
  }

  /** The `data` of a block; empty where it has none, as a comment or a keep-alive. */
  protected payload(bytes: Buffer, start: number, end: number): string {
    const first = this.#firstBlock;
    this.#firstBlock = false;
    const from = first ? -1 : singlePayloadAt(bytes, start, end);
    if (from !== -1) {
      const told = bytes.toString('utf8', from, end - BLANK_LINE_BYTES);
      if (!told.includes('\r')) return told;
    }
    const block = bytes.toString('latin1', start, end);
    const told = payloadOf(first && block.startsWith(BOM) ? block.slice(BOM.length) : block);
    return Buffer.from(told, 'latin1').toString('utf8');
  }

  /** The event that a payload holds; what is none is noted. */
  protected parse(payload: string): JsonObject | undefined {
    const event = parseJson(payload);
    if (isJsonObject(event)) return event;
    this.note('an event was no JSON object');
    return undefined;
  }

  protected addText(text: string): void {
    if (text === '') return;
    this.#text += text;
    this.textEvents += 1;
  }

  /** Everything that an ending depends on is noted together with how to take it back. */
  protected undoable(undo: () => void): void {
    this.#undo.push(undo);
  }

  protected note(anomaly: string): void {
    if (this.anomalies.length >= ANOMALIES_MAX || this.anomalies.includes(anomaly)) return;
    this.anomalies.push(anomaly);
  }

  #hold(block: Buffer): void {
    this.terminated = true;
    // The LF of its last CRLF may come only in the next chunk, which nobody reads.
    const half = block.at(-1) === CR && block.includes(CRLF);
    this.terminator = half ? Buffer.concat([block, LF]) : block;
  }

  #addRun(start: number, end: number): void {
    if (this.#runEnd !== start) {
      this.#flushRun();
      this.#runStart = start;
    }
    this.#runEnd = end;
  }

  #flushRun(): void {
    const [chunk, start, end] = [this.#chunk, this.#runStart, this.#runEnd];
    if (end > start) {
      this.#out.push(end - start === chunk.length ? chunk : chunk.subarray(start, end));
    }
    this.#runStart = end;
  }
}

const CR = 13;
const LF_BYTE = 10;
const LF = Buffer.from('\n');
const CRLF = '\r\n';
const EMPTY = Buffer.alloc(0);
const NOTHING: readonly Buffer[] = [];
/** UTF-8's byte order mark, one character a byte. */
const BOM = '\u00ef\u00bb\u00bf';

function isWhole(told: string): boolean {
  return told.trim() === '[DONE]' || parseJson(told) !== undefined;
}

function blankLine(block: string): Buffer {
  if (block.endsWith('\n')) return Buffer.from('\n');
  return Buffer.from(block.endsWith('\r') ? '\r' : '\n\n');
}

const PAYLOAD_FIELD = Buffer.from('data: ');
const TYPE_FIELD = Buffer.from('event: ');
const BLANK_LINE_BYTES = 2;

// Nearly every block is one line of `data`, perhaps after one of `event`. Answers where its payload
// begins, which ends before the blank line; -1 for every other block. (A CR is left to the caller.)
function singlePayloadAt(bytes: Buffer, start: number, end: number): number {
  let at = start;
  if (isAt(TYPE_FIELD, bytes, at)) at = bytes.indexOf(LF_BYTE, at) + 1;
  if (!isAt(PAYLOAD_FIELD, bytes, at) || bytes.indexOf(LF_BYTE, at) !== end - BLANK_LINE_BYTES)
    return -1;
  return at + PAYLOAD_FIELD.length;
}

function isAt(part: Buffer, bytes: Buffer, at: number): boolean {
  for (let i = 0; i < part.length; i += 1) if (bytes[at + i] !== part[i]) return false;
  return true;
}

// The lines of `data` joined by LF, one space after the colon left out.
function payloadOf(block: string): string {
  const data: string[] = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
  }
  return data.join('\n');
}
