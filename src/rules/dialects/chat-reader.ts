// Reads one stream of chat completions as it passes. An event that is there for its usage alone is
// left out where the client did not ask for usage.

import type { ProviderQuirks } from '../../core/call.js';
import type { StreamReader } from '../../core/dialect.js';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';
import type { Usage } from '../../core/usage.js';
import { idOf, tierOf } from './answer-id.js';
import { failureOf, isUsageOnly, outputText } from './chat-event.js';
import { TemplateReader } from './chat-template.js';
import { completeUsage, readChatUsage, usageMember } from './chat-usage.js';
import { EventReader, type Fate } from './event-reader.js';

export interface ChatReaderOptions {
  wantsUsage: boolean;
  quirks: ProviderQuirks;
  /** A longer event goes on unread. */
  eventBytesMax?: number;
}

const EVENT_BYTES_MAX = 1 << 20;
const CHOICES_NOTED_MAX = 1_024;
const NOT_COUNTED = { inputTokens: 0, outputTokens: 0 };

export function createChatReader(options: ChatReaderOptions): StreamReader {
  return new ChatReader(options);
}

export class ChatReader extends EventReader implements StreamReader {
  usage: Usage | undefined;
  readonly inputUsage = undefined;
  model: string | undefined;
  serviceTier: string | undefined;
  finishReason: string | null = null;
  failure: string | undefined;
  /** What all chunks of this stream have in common: id, object, created, model. */
  head: JsonObject | undefined;

  readonly #options: ChatReaderOptions;
  readonly #templates = new TemplateReader();
  readonly #choicesSeen = new Set<Json | undefined>();
  #choicesFinished: Set<Json | undefined> | undefined;

  constructor(options: ChatReaderOptions) {
    super(options.eventBytesMax ?? EVENT_BYTES_MAX);
    this.#options = options;
  }

  get answerId(): string | undefined {
    return idOf(this.head);
  }

  /** Every choice that was seen has ended; a stream that breaks off between two has not. */
  get sawChoiceFinished(): boolean {
    const finished = this.#choicesFinished?.size ?? 0;
    return finished > 0 && finished === this.#choicesSeen.size;
  }

  /** Indexes of the choices that began and did not end. */
  openChoices(): Json[] {
    const open: Json[] = [];
    for (const index of this.#choicesSeen) {
      if (index !== undefined && !this.#choicesFinished?.has(index)) open.push(index);
    }
    return open;
  }

  protected readBlock(bytes: Buffer, start: number, end: number): Fate {
    const known = this.#templates.read(bytes, start, end);
    if (known !== undefined) {
      this.addText(known);
      return 'pass';
    }
    const told = this.payload(bytes, start, end);
    if (told === '') return 'pass';
    if (told.trim() === '[DONE]') return 'hold';
    const event = this.parse(told);
    if (!event) return 'pass';
    if (this.#readEvent(event) && this.#templates.learns) {
      this.#templates.learn(bytes.toString('latin1', start, end), event);
    }
    return !this.#options.wantsUsage && isUsageOnly(event) ? 'drop' : 'pass';
  }

  /** Answers whether the event had nothing but text that matters here. */
  #readEvent(event: JsonObject): boolean {
    if (typeof event.model === 'string' && event.model !== '') this.model ??= event.model;
    this.serviceTier = tierOf(event) ?? this.serviceTier;
    const failure = failureOf(event);
    if (failure !== undefined) this.failure ??= failure;
    const usage = usageMember(event);
    if (usage) this.#readUsage(usage);
    const choices = Array.isArray(event.choices) ? event.choices : NO_CHOICES;
    this.addText(outputText(choices));
    let finished = false;
    for (const choice of choices) {
      if (!isJsonObject(choice)) continue;
      if (!this.head) {
        this.head = headOf(event);
        this.undoable(() => {
          this.head = undefined;
        });
      }
      const noted = this.#choicesSeen.size < CHOICES_NOTED_MAX;
      if (noted) this.#add(this.#choicesSeen, choice.index);
      if (typeof choice.finish_reason !== 'string') continue;
      finished = true;
      this.#choicesFinished ??= new Set();
      if (noted) this.#add(this.#choicesFinished, choice.index);
      this.finishReason = choice.finish_reason;
    }
    return failure === undefined && !usage && !finished;
  }

  #add(choices: Set<Json | undefined>, index: Json | undefined): void {
    if (choices.has(index)) return;
    choices.add(index);
    this.undoable(() => choices.delete(index));
  }

  #readUsage(usage: JsonObject): void {
    const reading = readChatUsage(usage, this.#options.quirks);
    for (const anomaly of reading.anomalies) this.note(anomaly);
    const { usage: told, source } = completeUsage(reading, NOT_COUNTED);
    if (source === 'provider') this.usage = told;
  }
}

const NO_CHOICES: readonly Json[] = [];

function headOf({ id, object, created, model }: JsonObject): JsonObject {
  const head: JsonObject = {};
  for (const [key, value] of Object.entries({ id, object, created, model })) {
    if (value !== undefined) head[key] = value;
  }
  return head;
}
