// The recordings of real providers as cases: what was recorded, what a client must get of it, and
// what it has used and costs by tables that were written by hand before any code read them.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NO_USAGE, type Usage } from '#src/core/usage.js';
import { type Format, recordings, streamsOf } from '../transcripts.js';
import { add, ceilNano, decimal, over, times, ZERO } from './rational.js';

export interface RecordedCase {
  /** File and part: a file may hold several calls. */
  name: string;
  format: Format;
  provider: string;
  model: string;
  isStream: boolean;
  bytes: Buffer;
  /** Undefined: the provider tells no usage. */
  usage: Usage | undefined;
  costNanoUsd: bigint | undefined;
  /** What the provider says that it costs, in 1e-10 USD. */
  ticks: bigint | undefined;
  /** Undefined: the table does not say. */
  finish: string | undefined;
}

interface ChatRow {
  file: string;
  provider: string;
  model: string;
  input: number;
  cachedRead: number;
  output: number;
  reasoning: number;
  usd_per_million: { input: string; cached: string; output: string };
  usd_per_request: string;
}

interface OtherRow {
  file: string;
  part: number;
  provider: string;
  model: string;
  classes: Partial<Usage> | null;
  finish: string;
  usd: { input: string; cached: string; output: string; search: string } | null;
}

interface Rates {
  input: string;
  cached: string;
  output: string;
  search: string;
  request: string;
}

const tables = join(import.meta.dirname, '..', '..', 'fixtures', 'recordings');
const rowsOf = <T>(format: Format) =>
  JSON.parse(readFileSync(join(tables, `${format}-classes.json`), 'utf8')) as T[];

/** None where the machine has no recordings. */
export function recordedCases(): RecordedCase[] {
  if (!existsSync(recordings)) return [];
  const others = (['messages', 'responses'] as const).flatMap((format) =>
    rowsOf<OtherRow>(format).map((row) => otherCase(format, row)),
  );
  return [...rowsOf<ChatRow>('chat').map(chatCase), ...others];
}

function chatCase(row: ChatRow): RecordedCase {
  const { provider, model, input, cachedRead, output, reasoning } = row;
  const bytes = readFileSync(join(recordings, row.file));
  const usage = { ...NO_USAGE, input, cachedRead, output, reasoning, requests: 1 };
  const rates = { ...row.usd_per_million, search: '0', request: row.usd_per_request };
  const told = bytes.toString().match(/"cost_in_usd_ticks":\s*(\d+)/g);
  return {
    ...{ name: row.file, format: 'chat' as const, provider, model, bytes, usage },
    isStream: row.file.endsWith('.sse'),
    costNanoUsd: costOf(usage, rates),
    ticks: told ? BigInt(told.at(-1)!.replace(/\D/g, '')) : undefined,
    finish: undefined,
  };
}

function otherCase(format: Format, row: OtherRow): RecordedCase {
  const { file, part, provider, model, classes, usd, finish } = row;
  const isStream = file.endsWith('.sse');
  const whole = readFileSync(join(recordings, file));
  const bytes = isStream ? streamsOf(whole)[part]! : whole;
  const usage = classes ? { ...NO_USAGE, requests: 1, ...classes } : undefined;
  return {
    ...{ name: `${file} ${part}`, format, provider, model, isStream, bytes, usage, finish },
    costNanoUsd: usage && usd ? costOf(usage, { ...usd, request: '0' }) : undefined,
    ticks: undefined,
  };
}

function costOf(usage: Usage, rates: Rates): bigint {
  const perMillion = (count: number, rate: string) => over(times(decimal(rate), count), 1_000_000);
  return ceilNano(
    [
      perMillion(usage.input, rates.input),
      perMillion(usage.cachedRead, rates.cached),
      perMillion(usage.output + usage.reasoning, rates.output),
      times(decimal(rates.search), usage.webSearches),
      times(decimal(rates.request), usage.requests),
    ].reduce(add, ZERO),
  );
}

/** The events of a stream, whole, their bytes as latin1, and what they tell. */
export function blocksOf(bytes: Buffer): { text: string; told: unknown }[] {
  const blocks = bytes.toString('latin1').match(/[\s\S]*?(?:\r\n|\n|\r)(?:\r\n|\n|\r)/g) ?? [];
  return blocks.map((text) => {
    const lines = text.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data:'));
    const data = lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
    if (data === '' || data === '[DONE]') return { text, told: data };
    return { text, told: JSON.parse(Buffer.from(data, 'latin1').toString()) as unknown };
  });
}

/** What its client must get, as the contract says it: as recorded, our comment before the end. */
export function wantedBytes(one: RecordedCase, wantsUsage: boolean, comment: string): Buffer {
  const blocks = blocksOf(one.bytes);
  if (one.format !== 'chat') {
    const last = blocks.pop()?.text ?? '';
    return latin1(`${blocks.map(({ text }) => text).join('')}: ${comment}\n${last}`);
  }
  const passing = blocks.filter(({ told }) => {
    if (told === '[DONE]') return false;
    const { choices, usage } = told as { choices?: unknown[]; usage?: unknown };
    return wantsUsage || !(choices?.length === 0 && usage !== null && typeof usage === 'object');
  });
  return latin1(`${passing.map(({ text }) => text).join('')}: ${comment}\ndata: [DONE]\n\n`);
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
