// Reads one stream of responses as it passes. Its last event tells the usage and repeats the whole
// answer: it is the terminator, and the only one by which the stream is known to be whole.

import type { ProviderQuirks } from '../../core/call.js';
import type { StreamReader } from '../../core/dialect.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import type { Usage } from '../../core/usage.js';
import { idOf, tierOf } from './answer-id.js';
import { EventReader, type Fate } from './event-reader.js';
import { deltaText, failureText, finishOf, itemName, itemText } from './responses-event.js';
import { ResponsesOutput } from './responses-output.js';
import { isWebSearch, readResponsesUsage, unpricedItem } from './responses-usage.js';

export interface ResponsesReaderOptions {
  wantsUsage: boolean;
  quirks: ProviderQuirks;
  /** A longer event goes on unread. */
  eventBytesMax?: number;
}

// The first and the last event repeat the instructions, all tools and, the last, all output.
const EVENT_BYTES_MAX = 16 << 20;
const TERMINATORS = new Set(['response.completed', 'response.incomplete', 'response.failed']);

export function createResponsesReader(options: ResponsesReaderOptions): StreamReader {
  return new ResponsesReader(options);
}

export class ResponsesReader extends EventReader implements StreamReader {
  usage: Usage | undefined;
  readonly inputUsage = undefined;
  model: string | undefined;
  serviceTier: string | undefined;
  finishReason: string | null = null;
  failure: string | undefined;
  /** The response as its last event before the terminator told it. */
  head: JsonObject | undefined;
  readonly output = new ResponsesOutput((undo) => this.undoable(undo));
  /** Undefined where the provider numbers nothing. */
  nextSequence: number | undefined;

  #webSearches = 0;
  // Items of which some output has been counted, so that their repetition is not.
  readonly #counted = new Set<Json | undefined>();

  constructor(options: ResponsesReaderOptions) {
    super(options.eventBytesMax ?? EVENT_BYTES_MAX);
  }

  get answerId(): string | undefined {
    return idOf(this.head);
  }

  /** Nothing but the terminator says that a response is whole. */
  get sawChoiceFinished(): boolean {
    return this.terminated;
  }

  protected readBlock(bytes: Buffer, start: number, end: number): Fate {
    const told = this.payload(bytes, start, end);
    if (told === '') return 'pass';
    const event = this.parse(told);
    if (!event) return 'pass';
    const { sequence_number: sequence } = event;
    if (typeof sequence === 'number' && Number.isSafeInteger(sequence)) {
      const before = this.nextSequence;
      this.undoable(() => {
        this.nextSequence = before;
      });
      this.nextSequence = Math.max(before ?? 0, sequence + 1);
    }
    if (typeof event.type === 'string' && TERMINATORS.has(event.type)) {
      this.#readEnd(event.response);
      return 'hold';
    }
    this.#readEvent(event, end - start);
    return 'pass';
  }

  #readEvent(event: JsonObject, units: number): void {
    const text = deltaText(event);
    if (text !== '') {
      this.#markCounted(event.output_index);
      this.addText(text);
    } else if (event.type === 'response.output_item.added') {
      this.addText(itemName(event.item));
    } else if (event.type === 'response.output_item.done') {
      this.#readItem(event);
    } else if (event.type === 'error') {
      this.failure ??= failureText(event);
    } else if (isJsonObject(event.response)) {
      this.#readHead(event.response);
    }
    this.output.read(event, units);
  }

  #readItem({ item, output_index: at }: JsonObject): void {
    if (isWebSearch(item)) this.#webSearches += 1;
    this.#noteUnpriced(item);
    if (!this.#counted.has(at)) this.addText(itemText(item));
    this.#markCounted(at);
  }

  #markCounted(at: Json | undefined): void {
    if (typeof at === 'number' && this.#counted.size < 4_096) this.#counted.add(at);
  }

  #readHead(response: JsonObject): void {
    const before = this.head;
    this.undoable(() => {
      this.head = before;
    });
    this.head = response;
    if (typeof response.model === 'string' && response.model !== '') this.model ??= response.model;
  }

  #readEnd(response: Json | undefined): void {
    if (!isJsonObject(response)) {
      this.note('the last event had no response');
      return;
    }
    this.#readHead(response);
    this.finishReason = finishOf(response);
    if (isJsonObject(response.error)) this.failure ??= failureText(response);
    this.serviceTier = tierOf(response);
    const output = Array.isArray(response.output) ? response.output : [];
    for (const item of output) this.#noteUnpriced(item);
    if (!isJsonObject(response.usage)) return;
    const searches = Math.max(this.#webSearches, output.filter(isWebSearch).length);
    const { usage, anomalies } = readResponsesUsage(response.usage, searches);
    for (const anomaly of anomalies) this.note(anomaly);
    this.usage = usage;
  }

  #noteUnpriced(item: Json | undefined): void {
    const unpriced = unpricedItem(item);
    if (unpriced !== undefined) this.note(unpriced);
  }
}
