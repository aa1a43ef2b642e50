// Recordings of real providers against tables that were written by hand before any code read them.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type JsonObject, parseOwnJson } from '#src/core/json.js';
import { NO_USAGE, type Usage } from '#src/core/usage.js';
import { buildCatalog } from '#src/rules/catalog/catalog.js';
import { charge } from '#src/rules/catalog/charge.js';
import type { PriceFile } from '#src/rules/catalog/row.js';
import { quirksOf } from '#src/rules/providers/providers.js';
import { seeded, splitAtRandom } from '../../../support/seeded.js';
import { DIALECTS, drive } from '../../../support/streams.js';
import { type Format, recordings, streamsOf } from '../../../support/transcripts.js';

/** 50 where time is short; 1000 proves more. */
const SPLITS = Number(process.env.RECORDING_SPLITS ?? 50);
const COMMENT = 'purser cost_usd=0.001204 remaining_usd=3.77';

interface Row {
  file: string;
  part: number;
  provider: string;
  model: string;
  /** Null: the provider tells no usage. */
  classes: Partial<Usage> | null;
  finish: string;
  usd: { input: string; cached: string; output: string; search: string } | null;
}

const root = join(import.meta.dirname, '..', '..', '..', '..');
const read = <T>(...path: string[]) => parseOwnJson<T>(readFileSync(join(root, ...path), 'utf8'));
const LOCAL = { input: 1, cached_read: 0.5, output: 4 };
const catalog = buildCatalog(read<PriceFile>('config', 'prices.json'), {
  'lmstudio/gemma-7b-it': LOCAL,
  'lmstudio/mistralai/ministral-3-14b-reasoning': LOCAL,
});

describe.skipIf(!existsSync(recordings)).each<Format>(['messages', 'responses'])('%s', (format) => {
  const table = read<Row[]>('test', 'fixtures', 'recordings', `${format}-classes.json`);
  const streams = table.filter(({ file }) => file.endsWith('.sse'));
  const answers = table.filter(({ file }) => file.endsWith('.json'));

  it.each(streams)(
    '$file ($part) comes out unchanged but for our comment, and costs what was written by hand',
    (row) => {
      const bytes = streamsOf(readFileSync(join(recordings, row.file)))[row.part]!;
      // All but the last event, and our line before the last.
      const last = bytes.lastIndexOf('\n\n', bytes.length - 3) + 2;
      const line = Buffer.from(`: ${COMMENT}\n`);
      const want = Buffer.concat([bytes.subarray(0, last), line, bytes.subarray(last)]);
      for (let seed = 0; seed < SPLITS; seed++) {
        const random = seeded(seed);
        const cuts = 1 + random.below(seed % 2 === 0 ? 10 : bytes.length / 20);
        const { reader, out } = drive(format, splitAtRandom(bytes, cuts, random), row.provider);
        expect(reader.terminated).toBe(true);
        const whole = Buffer.concat([out, DIALECTS[format].writeDone(COMMENT, reader)]);
        expect(whole.equals(want), `seed ${seed}`).toBe(true);
        expect(reader.anomalies).toEqual([]);
        expect(reader.finishReason).toBe(row.finish);
        expect(reader.model).toBe(row.model);
        expectClasses(row, reader.usage);
      }
    },
    600_000,
  );

  it.each(answers)('$file has the classes and the cost that were written by hand', (row) => {
    const text = readFileSync(join(recordings, row.file), 'utf8');
    const json = parseOwnJson<JsonObject>(text);
    const answer = DIALECTS[format].readAnswer(json, quirksOf(row.provider));
    expect(answer.anomalies).toEqual([]);
    expect(answer.finishReason).toBe(row.finish);
    expect(answer.model).toBe(row.model);
    expectClasses(row, answer.usage);
  });
});

function expectClasses(row: Row, usage: Usage | undefined): void {
  if (row.classes === null || row.usd === null) {
    expect(usage).toBeUndefined();
    return;
  }
  expect(usage).toEqual({ ...NO_USAGE, requests: 1, ...row.classes });
  const price = catalog.find(row.provider, row.model, Date.UTC(2026, 10, 21));
  expect(price && charge(price, usage!)).toBe(handNano(row.classes, row.usd));
}

/** Rational: everything over 10^12, by the hand-written prices, rounded up once. */
function handNano(classes: Partial<Usage>, usd: NonNullable<Row['usd']>): number {
  const over = (text: string, places: number) => {
    const [whole = '0', fraction = ''] = text.split('.');
    return BigInt(whole + fraction.padEnd(places, '0'));
  };
  const count = (...keys: (keyof Usage)[]) =>
    keys.reduce((sum, key) => sum + BigInt(classes[key] ?? 0), 0n);
  const pico =
    count('input') * over(usd.input, 6) +
    count('cachedRead') * over(usd.cached, 6) +
    count('output', 'reasoning') * over(usd.output, 6) +
    count('webSearches') * over(usd.search, 12);
  return Number((pico + 999n) / 1000n);
}
