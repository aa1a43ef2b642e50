// One usage event as the values of its rows. What an event lacks (a reaped call has no reading) is
// filled from its lines and marked estimated; text is cut and cleaned to what a column can hold,
// because a call that was made is never refused its row for the way it is spelled.

import type { Unit } from '../../core/amount.js';
import { assert } from '../../core/assert.js';
import { uuidV7TimeMs } from '../../core/id.js';
import type { BookedLine } from '../../core/line.js';
import { inputTokens, NO_USAGE, outputTokens, type Usage } from '../../core/usage.js';
import type { Attribution, Reading, UsageEvent } from '../../core/usage-event.js';

export interface UsageRow {
  event: UsageEvent;
  key: string;
  usageDate: string;
  attribution: Attribution;
  usage: Usage;
  tokensIn: number;
  tokensOut: number;
  costNanoUsd: number;
  overrunNanoUsd: number;
  /** Once a call: a row beside its first one has none. */
  saved: { tokens: number; nanoUsd: number };
  model: string;
  provider: string;
  outcome: Reading['outcome'];
  durationMs: number | null;
}

const NOTHING_SAVED = { tokens: 0, nanoUsd: 0 };
const INT_MAX = 2_147_483_647;
const PLAIN = /^[ -~]*$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function rowKey(event: { id: string; kind: string }): string {
  return `${event.id}/${event.kind}`;
}

export function toRow(event: UsageEvent): UsageRow {
  const { id, stub, reading, lines, kind } = event;
  const atMs = uuidV7TimeMs(id);
  assert(atMs !== undefined, `an event's id is no UUIDv7: ${id}`);
  const { tokensIn, tokensOut } = tokensOf(event);
  const counted = kind === 'base' ? reading : undefined;
  return {
    event,
    key: rowKey(event),
    usageDate: new Date(atMs).toISOString().slice(0, 10),
    attribution: stub.attribution,
    usage: usageOf(reading),
    tokensIn,
    tokensOut,
    costNanoUsd: counted?.costNanoUsd ?? moved(lines, 'nano_usd') ?? reading?.costNanoUsd ?? 0,
    overrunNanoUsd: overrunOf(lines),
    saved: (kind === 'base' || kind === 'late' ? reading?.saved : undefined) ?? NOTHING_SAVED,
    model: reading?.model ?? stub.model,
    provider: reading?.provider ?? stub.provider,
    outcome: reading?.outcome ?? (kind === 'base' || kind === 'late' ? 'reaped' : 'adjusted'),
    durationMs: reading ? whole(reading.endedAtMs - stub.startedAtMs) : null,
  };
}

// A row beside another one of the same call has the difference, so that the rows of a call add up
// to what it used. The first one (reaped) had all its tokens as input.
function tokensOf({ kind, reading, lines }: UsageEvent): { tokensIn: number; tokensOut: number } {
  const line = moved(lines, 'tokens');
  if (!reading) return { tokensIn: line ?? 0, tokensOut: 0 };
  const usage = usageOf(reading);
  const tokensIn = inputTokens(usage);
  const tokensOut = outputTokens(usage);
  if (reading.corrects) return { tokensIn, tokensOut };
  if (kind === 'base' || line === undefined) return { tokensIn, tokensOut };
  if (kind === 'late') return { tokensIn: line - tokensOut, tokensOut };
  return { tokensIn: line, tokensOut: 0 };
}

// A correction has by how much each class was off.
function usageOf(reading: Reading | undefined): Usage {
  if (!reading?.corrects) return reading?.usage ?? NO_USAGE;
  const usage = { ...reading.usage };
  for (const key of Object.keys(usage) as (keyof Usage)[]) usage[key] -= reading.corrects[key];
  return usage;
}

// Every line of a unit has the same amount, unless one was bounded by its counter.
function moved(lines: readonly BookedLine[], unit: Unit): number | undefined {
  let most: number | undefined;
  for (const { u, a } of lines) {
    if (u === unit && (most === undefined || Math.abs(a) > Math.abs(most))) most = a;
  }
  return most;
}

function overrunOf(lines: readonly BookedLine[]): number {
  return lines.reduce((most, { u, o }) => (u === 'nano_usd' ? Math.max(most, o) : most), 0);
}

/** A UUID or null: text that is none cannot be looked up by id. */
export function uuidOrNull(text: string | undefined): string | null {
  return text !== undefined && UUID.test(text) ? text.toLowerCase() : null;
}

/** Whole and not negative, within an integer column. */
export function whole(value: number): number;
export function whole(value: number | null): number | null;
export function whole(value: number | null): number | null {
  return value === null ? null : Math.min(INT_MAX, Math.max(0, Math.round(value)));
}

/** Cut to the column, without what SQL text cannot hold: NUL and halves of surrogate pairs. */
export function cut(text: string | null | undefined, lengthMax: number): string | null {
  if (text === null || text === undefined) return null;
  if (PLAIN.test(text)) return text.slice(0, lengthMax);
  return clean(text)
    .slice(0, lengthMax)
    .replace(/\p{Surrogate}/gu, '');
}

/** JSON text that jsonb takes. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value);
  // Nearly every text is clean; an escaped backslash before the u only costs the detour.
  if (!text.includes('\\u')) return text;
  return /\\u(0000|d[89a-f])/.test(text) ? JSON.stringify(cleaned(value)) : text;
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return clean(value);
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [clean(key), cleaned(part)]),
  );
}

function clean(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, '\ufffd');
}
