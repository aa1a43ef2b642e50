// The output items of one stream of responses as far as they have come, so that a stream which is
// cut can be closed as its provider would have done. Keeps up to a bound; above it, it keeps
// nothing, and the ending is told without items.

import { isJsonObject, type Json, type JsonObject } from '../../core/json.js';

interface Family {
  /** The list of the item's parts that the text stands in; undefined: in the item itself. */
  list?: 'content' | 'summary';
  index?: 'content_index' | 'summary_index';
  member: string;
}

const CONTENT = { list: 'content', index: 'content_index' } as const;
const SUMMARY = { list: 'summary', index: 'summary_index' } as const;

const TEXTS: Readonly<Record<string, Family>> = {
  'response.output_text': { ...CONTENT, member: 'text' },
  'response.refusal': { ...CONTENT, member: 'refusal' },
  'response.reasoning_text': { ...CONTENT, member: 'text' },
  'response.reasoning_summary_text': { ...SUMMARY, member: 'text' },
  'response.function_call_arguments': { member: 'arguments' },
  'response.mcp_call_arguments': { member: 'arguments' },
  'response.custom_tool_call_input': { member: 'input' },
  'response.code_interpreter_call_code': { member: 'code' },
};

const PARTS: Readonly<Record<string, typeof CONTENT | typeof SUMMARY>> = {
  'response.content_part': CONTENT,
  'response.reasoning_summary_part': SUMMARY,
};

/** Notes how to take back what was just changed. */
type Undoable = (undo: () => void) => void;

/** The `.done` event of something that is open, but for its sequence number. */
type Closing = () => JsonObject & { type: string };

interface OpenItem {
  item: JsonObject;
  texts: Map<string, Closing>;
  parts: Map<string, Closing>;
}

const KEPT_UNITS_MAX = 16 << 20;
const ITEMS_MAX = 4_096;
const PARTS_MAX = 4_096;

export class ResponsesOutput {
  readonly #items: (JsonObject | undefined)[] = [];
  readonly #open = new Map<number, OpenItem>();
  readonly #undoable: Undoable;
  #units = 0;

  constructor(undoable: Undoable) {
    this.#undoable = undoable;
  }

  /** `units`: about how long the event is. */
  read(event: JsonObject, units: number): void {
    const { type, output_index: at } = event;
    if (typeof type !== 'string' || !isIndex(at, ITEMS_MAX)) return;
    const [family, step] = split(type);
    if (step !== 'delta' && step !== 'added' && step !== 'done') return;
    this.#units += units;
    if (this.#units > KEPT_UNITS_MAX) {
      this.#items.length = 0;
      this.#open.clear();
      return;
    }
    if (family === 'response.output_item') this.#readItem(step, at, event.item);
    else this.#readInside(family, step, event, this.#open.get(at));
  }

  /** The events that close what is open, in the order in which it was opened. */
  closings(): (JsonObject & { type: string })[] {
    const events: (JsonObject & { type: string })[] = [];
    for (const [at, { item, texts, parts }] of this.#open) {
      for (const close of texts.values()) events.push(close());
      for (const close of parts.values()) events.push(close());
      item.status = 'incomplete';
      events.push({ type: 'response.output_item.done', output_index: at, item });
    }
    return events;
  }

  items(): JsonObject[] {
    return this.#items.filter((item) => item !== undefined);
  }

  #readItem(step: string, at: number, item: Json | undefined): void {
    if (!isJsonObject(item) || step === 'delta') return;
    const [before, open] = [this.#items[at], this.#open.get(at)];
    this.#undoable(() => {
      this.#items[at] = before;
      if (open) this.#open.set(at, open);
      else this.#open.delete(at);
    });
    this.#items[at] = item;
    if (step === 'added') this.#open.set(at, { item, texts: new Map(), parts: new Map() });
    else this.#open.delete(at);
  }

  #readInside(family: string, step: string, event: JsonObject, open: OpenItem | undefined): void {
    if (!open) return;
    const undoable = this.#undoable;
    if (Object.hasOwn(PARTS, family)) readPart(open, family, step, event, undoable);
    else if (Object.hasOwn(TEXTS, family)) readText(open, family, step, event, undoable);
  }
}

function setOpen(
  closings: Map<string, Closing>,
  key: string,
  closing: Closing | undefined,
  undoable: Undoable,
): void {
  const before = closings.get(key);
  if (closing) closings.set(key, closing);
  else closings.delete(key);
  undoable(() => {
    if (before) closings.set(key, before);
    else closings.delete(key);
  });
}

function readPart(
  open: OpenItem,
  family: string,
  step: string,
  event: JsonObject,
  undoable: Undoable,
): void {
  const { list, index } = PARTS[family]!;
  const at = event[index];
  const { part } = event;
  if (!isIndex(at, PARTS_MAX) || !isJsonObject(part) || step === 'delta') return;
  const { item } = open;
  const parts = Array.isArray(item[list]) ? item[list] : [];
  // A part beyond the next would leave a hole, which no client could read.
  if (at > parts.length) return;
  item[list] = parts;
  const before = parts[at];
  undoable(() => {
    if (before === undefined) parts.length = at;
    else parts[at] = before;
  });
  parts[at] = part;
  const where = { ...whereOf(event), [index]: at };
  const closing = () => ({ type: `${family}.done`, ...where, part: parts[at]! });
  setOpen(open.parts, `${family} ${at}`, step === 'done' ? undefined : closing, undoable);
}

function readText(
  open: OpenItem,
  family: string,
  step: string,
  event: JsonObject,
  undoable: Undoable,
): void {
  const { list, index, member } = TEXTS[family]!;
  const at = index === undefined ? undefined : event[index];
  const holder = holderOf(open.item, list, at);
  const told = event[step === 'done' ? member : 'delta'];
  if (!holder || step === 'added' || typeof told !== 'string') return;
  const before = holder[member] ?? '';
  undoable(() => {
    holder[member] = before;
  });
  const key = `${family} ${at}`;
  if (step === 'done') {
    holder[member] = told;
    setOpen(open.texts, key, undefined, undoable);
    return;
  }
  holder[member] = (typeof before === 'string' ? before : '') + told;
  if (open.texts.has(key)) return;
  const where = { ...whereOf(event), ...(index && { [index]: at! }) };
  const logprobs = family === 'response.output_text' ? { logprobs: [] } : {};
  const text = () => holder[member]!;
  const closing = () => ({ type: `${family}.done`, ...where, [member]: text(), ...logprobs });
  setOpen(open.texts, key, closing, undoable);
}

function holderOf(
  item: JsonObject,
  list: Family['list'],
  at: Json | undefined,
): JsonObject | undefined {
  if (list === undefined) return item;
  const parts = item[list];
  if (!Array.isArray(parts) || !isIndex(at, PARTS_MAX)) return undefined;
  const part = parts[at];
  return isJsonObject(part) ? part : undefined;
}

function whereOf({ item_id: itemId, output_index: at }: JsonObject): JsonObject {
  return { ...(itemId !== undefined && { item_id: itemId }), output_index: at! };
}

function split(type: string): [family: string, step: string] {
  const dot = type.lastIndexOf('.');
  return [type.slice(0, dot), type.slice(dot + 1)];
}

function isIndex(value: Json | undefined, below: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < below;
}
