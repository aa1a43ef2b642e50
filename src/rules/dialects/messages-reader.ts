// Reads one stream of messages as it passes. Its usage is whole once a `message_delta` has told the
// output, and as long as no output comes after it; what `message_start` says of the output is only
// its beginning.

import type { ProviderQuirks } from '../../core/call.js';
import type { StreamReader } from '../../core/dialect.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import type { Usage } from '../../core/usage.js';
import { EventReader, type Fate } from './event-reader.js';
import { blockStartText, deltaText, failureText } from './messages-event.js';
import { MessagesTally } from './messages-usage.js';

export interface MessagesReaderOptions {
  wantsUsage: boolean;
  quirks: ProviderQuirks;
  /** A longer event goes on unread. */
  eventBytesMax?: number;
}

const EVENT_BYTES_MAX = 1 << 20;
const OPEN_BLOCKS_MAX = 1_024;

export function createMessagesReader(options: MessagesReaderOptions): StreamReader {
  return new MessagesReader(options);
}

export class MessagesReader extends EventReader implements StreamReader {
  model: string | undefined;
  /** Nobody keeps messages under their ids. */
  readonly answerId = undefined;
  /** Its tiers are bought beforehand, and have no rates. */
  readonly serviceTier = undefined;
  finishReason: string | null = null;
  failure: string | undefined;
  started = false;
  /** Indexes of the content blocks that began and did not stop. */
  readonly openBlocks = new Set<number>();

  readonly #tally = new MessagesTally();
  #outputTold = false;

  constructor(options: MessagesReaderOptions) {
    super(options.eventBytesMax ?? EVENT_BYTES_MAX);
  }

  get usage(): Usage | undefined {
    if (!this.#outputTold) return undefined;
    const whole = this.#tally.whole;
    this.#noteTally();
    return whole;
  }

  get inputUsage(): Usage | undefined {
    return this.#tally.input;
  }

  get sawChoiceFinished(): boolean {
    return this.finishReason !== null;
  }

  protected readBlock(bytes: Buffer, start: number, end: number): Fate {
    const told = this.payload(bytes, start, end);
    if (told === '') return 'pass';
    const event = this.parse(told);
    if (!event) return 'pass';
    if (event.type === 'message_stop') return 'hold';
    this.#readEvent(event);
    return 'pass';
  }

  #readEvent(event: JsonObject): void {
    switch (event.type) {
      case 'content_block_delta':
        this.#addOutput(deltaText(event.delta));
        break;
      case 'content_block_start':
        this.#open(event.index);
        this.#addOutput(blockStartText(event.content_block));
        break;
      case 'content_block_stop':
        this.#close(event.index);
        break;
      case 'message_start':
        this.#readStart(event.message);
        break;
      case 'message_delta':
        this.#readDelta(event);
        break;
      case 'error':
        this.failure ??= failureText(event);
        break;
    }
  }

  #open(index: Json | undefined): void {
    if (!isIndex(index) || this.openBlocks.size >= OPEN_BLOCKS_MAX) return;
    if (this.openBlocks.has(index)) return;
    this.openBlocks.add(index);
    this.undoable(() => this.openBlocks.delete(index));
  }

  #close(index: Json | undefined): void {
    if (!isIndex(index) || !this.openBlocks.delete(index)) return;
    this.undoable(() => this.openBlocks.add(index));
  }

  #readStart(message: Json | undefined): void {
    if (!isJsonObject(message)) return;
    const { started } = this;
    this.undoable(() => {
      this.started = started;
    });
    this.started = true;
    if (typeof message.model === 'string' && message.model !== '') this.model ??= message.model;
    if (isJsonObject(message.usage)) this.#addUsage(message.usage);
  }

  #readDelta({ delta, usage }: JsonObject): void {
    if (isJsonObject(delta) && typeof delta.stop_reason === 'string') {
      const before = this.finishReason;
      this.undoable(() => {
        this.finishReason = before;
      });
      this.finishReason = delta.stop_reason;
    }
    if (isJsonObject(usage)) this.#outputTold = this.#addUsage(usage);
  }

  #addUsage(usage: JsonObject): boolean {
    const outputTold = this.#tally.add(usage);
    this.#noteTally();
    return outputTold;
  }

  #noteTally(): void {
    for (const anomaly of this.#tally.anomalies) this.note(anomaly);
  }

  #addOutput(text: string): void {
    if (text === '') return;
    this.#outputTold = false;
    this.addText(text);
  }
}

function isIndex(value: Json | undefined): value is number {
  return Number.isSafeInteger(value);
}
