import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isJsonObject, type JsonObject, parseJson, parseOwnJson } from '#src/core/json.js';
import { NO_USAGE, type Usage } from '#src/core/usage.js';
import { buildCatalog } from '#src/rules/catalog/catalog.js';
import { charge } from '#src/rules/catalog/charge.js';
import type { PriceFile } from '#src/rules/catalog/row.js';
import { completeUsage, readChatUsage, usageMember } from '#src/rules/dialects/chat-usage.js';

const root = join(import.meta.dirname, '..', '..', '..');
const read = <T>(...path: string[]) => parseOwnJson<T>(readFileSync(join(root, ...path), 'utf8'));
const NOTHING_COUNTED = { inputTokens: 0, outputTokens: 0 };

interface Written {
  what: string;
  quirk: boolean;
  usage: JsonObject;
  /** Null: part of it is absent, and the classes are not looked at. */
  classes: Partial<Usage> | null;
  inputAbsent?: boolean;
  outputAbsent?: boolean;
  reported?: number;
  anomalies: string[];
}

describe('usage objects', () => {
  const written = read<Written[]>('test', 'fixtures', 'transcripts', 'chat-usages.json');

  test.each(written)('$what', (row) => {
    const reading = readChatUsage(row.usage, { reasoningOutsideOutput: row.quirk });
    expect([...reading.anomalies].sort()).toEqual(row.anomalies);
    expect(reading.input === undefined).toBe(row.inputAbsent === true);
    expect(reading.output === undefined).toBe(row.outputAbsent === true);
    if (row.classes !== null) {
      const { usage, source } = completeUsage(reading, { inputTokens: 7, outputTokens: 7 });
      expect(usage).toEqual({ ...NO_USAGE, requests: 1, ...row.classes });
      expect(source).toBe('provider');
    }
    expect(reading.reportedNanoUsd).toBe(row.reported);
  });

  test('what is absent is filled by what was counted, and marked', () => {
    const reading = readChatUsage({ prompt_tokens: 8 }, { reasoningOutsideOutput: false });
    const done = completeUsage(reading, { inputTokens: 99, outputTokens: 5 });
    expect(done.source).toBe('counted');
    expect(done.usage).toEqual({ ...NO_USAGE, input: 8, output: 5, requests: 1 });
  });

  test('usage is found at the top, or inside x_groq, or not', () => {
    const usage = { prompt_tokens: 1 };
    expect(usageMember({ usage })).toEqual(usage);
    expect(usageMember({ usage: null, x_groq: { usage } })).toEqual(usage);
    expect(usageMember({ usage: null })).toBeUndefined();
    expect(usageMember({ x_groq: { id: 'r' } })).toBeUndefined();
    expect(usageMember({ usage: [] })).toBeUndefined();
  });

  test('classes never exceed what the provider told, and the counts add up', () => {
    for (let prompt = 0; prompt <= 6; prompt += 1) {
      for (let cached = 0; cached <= 7; cached += 1) {
        for (let audio = 0; audio <= 7; audio += 1) {
          const details = { cached_tokens: cached, audio_tokens: audio, image_tokens: 2 };
          const usage = { prompt_tokens: prompt, prompt_tokens_details: details };
          const { input } = readChatUsage(usage, { reasoningOutsideOutput: false });
          const parts = Object.values(input ?? {});
          expect(parts.reduce((sum, part) => sum + part, 0)).toBe(prompt);
          expect(Math.min(...parts)).toBeGreaterThanOrEqual(0);
        }
      }
    }
  });
});

interface Recorded {
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

const recordings = process.env.RECORDINGS_DIR ?? join(root, '..', 'shared', 'recordings');

describe.skipIf(!existsSync(recordings))('recordings', () => {
  const table = read<Recorded[]>('test', 'fixtures', 'recordings', 'chat-classes.json');
  const catalog = buildCatalog(read<PriceFile>('config', 'prices.json'), {
    'alibaba/qwen3-max': { input: 1.2, output: 6 },
  });

  test.each(table)('$file has the classes and the cost that were written by hand', (row) => {
    const usage = lastUsage(readFileSync(join(recordings, row.file), 'utf8'), row.file);
    const reading = readChatUsage(usage, { reasoningOutsideOutput: row.provider === 'xai' });
    expect(reading.anomalies).toEqual([]);
    const done = completeUsage(reading, NOTHING_COUNTED);
    const { input, cachedRead, output, reasoning } = row;
    const wanted = { ...NO_USAGE, input, cachedRead, output, reasoning, requests: 1 };
    expect(done.usage).toEqual(wanted);

    const price = catalog.find(row.provider, row.model, Date.UTC(2026, 10, 21));
    const nano = price === undefined ? undefined : charge(price, done.usage);
    expect(nano).toBe(handNano(row));
    if (row.provider === 'xai') expect((nano ?? 0) * 10).toBe(usage.cost_in_usd_ticks);
  });
});

/** Rational: everything over 10^12, by the hand-written prices, rounded up once. */
function handNano(row: Recorded): number {
  const over = (usd: string, places: number) => {
    const [whole = '0', fraction = ''] = usd.split('.');
    return BigInt(whole + fraction.padEnd(places, '0'));
  };
  const { input, cached, output } = row.usd_per_million;
  const pico =
    BigInt(row.input) * over(input, 6) +
    BigInt(row.cachedRead) * over(cached, 6) +
    BigInt(row.output + row.reasoning) * over(output, 6) +
    over(row.usd_per_request, 12);
  return Number((pico + 999n) / 1000n);
}

function lastUsage(text: string, file: string): JsonObject {
  const bodies = file.endsWith('.json')
    ? [text]
    : text.split('\n').flatMap((line) => (line.startsWith('data: {') ? [line.slice(6)] : []));
  const found = bodies
    .map((body) => parseJson(body))
    .flatMap((event) => (isJsonObject(event) ? [usageMember(event)] : []))
    .filter((usage) => usage !== undefined);
  const last = found.at(-1);
  if (last === undefined) throw new Error(`${file} has no usage`);
  return last;
}
