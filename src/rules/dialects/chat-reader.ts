// Reads one stream of chat completions as it passes: whole events go on unchanged in the push that
// completed them, the terminator and what comes after it is held back, and an event that is there
// for its usage alone is left out where the client did not ask. What cannot be read goes on too,
// and is noted: the stream is the client's, the meter only looks.

import type { ProviderQuirks } from '../../core/call.js';
import type { StreamReader } from '../../core/dialect.js';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../core/json.js';
import type { Usage } from '../../core/usage.js';
import { failureOf, isUsageOnly, outputText } from './chat-event.js';
import { TemplateReader } from './chat-template.js';
import { completeUsage, readChatUsage, usageMember } from './chat-usage.js';
import { type BlockSink, BlockSplitter } from './sse-blocks.js';

export interface ChatReaderOptions {
  wantsUsage: boolean;
  quirks: ProviderQuirks;
  /** A longer event goes on unread. */
  eventBytesMax?: number;
}

const EVENT_BYTES_MAX = 1 << 20;
const ANOMALIES_MAX = 32;
const NOT_COUNTED = { inputTokens: 0, outputTokens: 0 };

export function createChatReader(options: ChatReaderOptions): StreamReader {
  return new ChatReader(options);
}

type Fate = 'pass' | 'drop' | 'hold';

class ChatReader implements StreamReader, BlockSink {
  textEvents = 0;
  usage: Usage | undefined;
  readonly anomalies: string[] = [];
  model: string | undefined;
  finishReason: string | null = null;
  terminated = false;
  failure: string | undefined;

  readonly #options: ChatReaderOptions;
  readonly #splitter: BlockSplitter;
  readonly #templates = new TemplateReader();
  readonly #choicesSeen = new Set<Json | undefined>();
  readonly #choicesFinished = new Set<Json | undefined>();
  #text = '';
  #firstBlock = true;
  #lastFate: Fate = 'pass';
  #out: Buffer[] = [];
  // What of the current chunk goes out and is not yet in `#out`.
  #chunk: Buffer = EMPTY;
  #runStart = 0;
  #runEnd = 0;

  constructor(options: ChatReaderOptions) {
    this.#options = options;
    this.#splitter = new BlockSplitter(this, options.eventBytesMax ?? EVENT_BYTES_MAX);
  }

  /** Every choice that was seen has ended; a stream that breaks off between two has not. */
  get sawChoiceFinished(): boolean {
    const finished = this.#choicesFinished.size;
    return finished > 0 && finished === this.#choicesSeen.size;
  }

  push(chunk: Buffer): readonly Buffer[] {
    if (this.terminated) return NOTHING;
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
      this.#note('the last event was cut off');
      return NOTHING;
    }
    const fate = this.#readBlock(tail, 0, tail.length);
    return fate === 'pass' ? [tail, blankLine(block)] : NOTHING;
  }

  get midEvent(): boolean {
    return this.#splitter.insideOversized;
  }

  takeText(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  block(tail: Buffer | undefined, chunk: Buffer, start: number, end: number): void {
    if (this.terminated) return;
    if (tail) {
      const whole = Buffer.concat([tail, chunk.subarray(start, end)]);
      this.#lastFate = this.#readBlock(whole, 0, whole.length);
    } else {
      this.#lastFate = this.#readBlock(chunk, start, end);
    }
    if (this.#lastFate !== 'pass') return;
    if (tail) this.#out.push(tail);
    this.#addRun(start, end);
  }

  oversized(part: Buffer): void {
    if (this.terminated) return;
    this.#note('an event over the cap went on unread');
    this.#lastFate = 'pass';
    this.#flushRun();
    this.#out.push(part);
  }

  lateLf(): void {
    if (this.#lastFate === 'pass') this.#addRun(0, 1);
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

  #readBlock(bytes: Buffer, start: number, end: number): Fate {
    const known = this.#templates.read(bytes, start, end);
    if (known !== undefined) {
      this.#addText(known);
      return 'pass';
    }
    const block = bytes.toString('latin1', start, end);
    const first = this.#firstBlock;
    this.#firstBlock = false;
    const told = payloadOf(first && block.startsWith(BOM) ? block.slice(BOM.length) : block);
    if (told === '') return 'pass';
    if (told.trim() === '[DONE]') {
      this.terminated = true;
      return 'hold';
    }
    const event = parseJson(Buffer.from(told, 'latin1').toString('utf8'));
    if (!isJsonObject(event)) {
      this.#note('an event was no JSON object');
      return 'pass';
    }
    if (this.#readEvent(event)) this.#templates.learn(block, event);
    return !this.#options.wantsUsage && isUsageOnly(event) ? 'drop' : 'pass';
  }

  /** Answers whether the event had nothing but text that matters here. */
  #readEvent(event: JsonObject): boolean {
    if (typeof event.model === 'string' && event.model !== '') this.model ??= event.model;
    const failure = failureOf(event);
    if (failure !== undefined) this.failure ??= failure;
    const usage = usageMember(event);
    if (usage) this.#readUsage(usage);
    const choices = Array.isArray(event.choices) ? event.choices : NO_CHOICES;
    this.#addText(outputText(choices));
    let finished = false;
    for (const choice of choices) {
      if (!isJsonObject(choice)) continue;
      this.#choicesSeen.add(choice.index);
      if (typeof choice.finish_reason !== 'string') continue;
      finished = true;
      this.#choicesFinished.add(choice.index);
      this.finishReason = choice.finish_reason;
    }
    return failure === undefined && !usage && !finished;
  }

  #readUsage(usage: JsonObject): void {
    const reading = readChatUsage(usage, this.#options.quirks);
    for (const anomaly of reading.anomalies) this.#note(anomaly);
    const { usage: told, source } = completeUsage(reading, NOT_COUNTED);
    if (source === 'provider') this.usage = told;
  }

  #addText(text: string): void {
    if (text === '') return;
    this.#text += text;
    this.textEvents += 1;
  }

  #note(anomaly: string): void {
    if (this.anomalies.length >= ANOMALIES_MAX || this.anomalies.includes(anomaly)) return;
    this.anomalies.push(anomaly);
  }
}

const EMPTY = Buffer.alloc(0);
const NOTHING: readonly Buffer[] = [];
const NO_CHOICES: readonly Json[] = [];
/** UTF-8's byte order mark, one character a byte. */
const BOM = '\u00ef\u00bb\u00bf';

function isWhole(told: string): boolean {
  return told.trim() === '[DONE]' || parseJson(told) !== undefined;
}

function blankLine(block: string): Buffer {
  if (block.endsWith('\n')) return Buffer.from('\n');
  return Buffer.from(block.endsWith('\r') ? '\r' : '\n\n');
}

// The `data` of a block: its lines joined by LF, one space after the colon left out.
function payloadOf(block: string): string {
  const data: string[] = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
  }
  return data.join('\n');
}
