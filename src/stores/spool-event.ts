// An event as the text of its record. One is written for every call, and member by member it takes
// half of what JSON.stringify takes: names stay what they are, amounts are numbers.

import type { BookedLine } from '../core/line.js';
import { readingText } from '../core/reading-text.js';
import type { UsageEvent } from '../core/usage-event.js';

/** `stub`: JSON of the event's. */
export function writeEvent(event: UsageEvent, stub: string): string {
  const { id, kind, reading, seq, epoch, atMs } = event;
  let lines = '';
  for (const line of event.lines) lines += lines === '' ? lineText(line) : `,${lineText(line)}`;
  const read = reading ? `,"reading":${readingText(reading)}` : '';
  const stamp = `"seq":${seq},"epoch":${epoch},"atMs":${atMs}${rareText(event)}`;
  return `{"id":"${id}","kind":"${kind}","lines":[${lines}]${read},${stamp},"stub":${stub}}`;
}

function rareText({ unbooked, actual, reason }: UsageEvent): string {
  let text = '';
  if (unbooked) text += ',"unbooked":true';
  if (actual) text += `,"actual":${JSON.stringify(actual)}`;
  if (reason !== undefined) text += `,"reason":${JSON.stringify(reason)}`;
  return text;
}

interface LineWords {
  label: string;
  unit: string;
  before: string;
}

const WORDS_MAX = 1_000;
const lineWords = new Map<string, LineWords>();

// Of an envelope's line only the amounts change with every call.
function lineText({ e, l, u, a, o }: BookedLine): string {
  const known = lineWords.get(e);
  if (known && known.label === l && known.unit === u) return `${known.before}${a},"o":${o}}`;
  const before = `${JSON.stringify({ e, l, u }).slice(0, -1)},"a":`;
  if (lineWords.size >= WORDS_MAX) lineWords.clear();
  lineWords.set(e, { label: l, unit: u, before });
  return `${before}${a},"o":${o}}`;
}
