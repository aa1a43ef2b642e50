import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { calcPrice } from '@pydantic/genai-prices';
import { describe, expect, test } from 'vitest';
import { parseOwnJson } from '#src/core/json.js';
import { NO_USAGE } from '#src/core/usage.js';
import { buildCatalog } from '#src/rules/catalog/catalog.js';
import { charge } from '#src/rules/catalog/charge.js';
import type { PriceFile } from '#src/rules/catalog/row.js';

const path = join(import.meta.dirname, '..', '..', '..', 'config', 'prices.json');
const file = parseOwnJson<PriceFile>(readFileSync(path, 'utf8'));
const catalog = buildCatalog(file);
const GENAI_NAMES: Record<string, string> = { bedrock: 'aws', xai: 'x-ai' };
const AT_MS = Date.UTC(2026, 10, 21);

// Small, and over every threshold.
const SIZES = [
  { input: 1_000, cachedRead: 500, output: 300 },
  { input: 900_000, cachedRead: 300_000, output: 100_000 },
];

// An hourly price is written at its dearest, and the calculator refuses or is free of what it has
// no price for: those rows cannot be compared.
const comparable = file.rows.filter(
  (row) => row.source.startsWith('genai-prices') && row.provider !== 'deepseek' && row.input > 0,
);

describe('the shipped prices', () => {
  test('equal what the calculator of their source says, for every exact name', () => {
    const differing: string[] = [];
    let compared = 0;
    for (const row of comparable) {
      for (const name of [row.model, ...(row.names ?? [])]) {
        for (const size of SIZES) {
          const price = catalog.find(row.provider, name, AT_MS);
          if (price === undefined) throw new Error(`${row.provider}/${name} is not found`);
          const usage = {
            input_tokens: size.input + size.cachedRead,
            cache_read_tokens: size.cachedRead,
            output_tokens: size.output,
            output_reasoning_tokens: 0,
          };
          const providerId = GENAI_NAMES[row.provider] ?? row.provider;
          const theirs = calcPrice(usage, name, { providerId, timestamp: new Date(AT_MS) });
          const ours = charge(price, { ...NO_USAGE, ...size, requests: 1 }) / 1e9;
          // Some rows go by a name that the source itself does not match.
          if (theirs === null) continue;
          compared += 1;
          if (!(Math.abs(theirs.total_price - ours) < 2e-9 + ours * 1e-9)) {
            differing.push(`${row.provider}/${name}: ${ours} and ${theirs.total_price}`);
          }
        }
      }
    }
    expect(differing).toEqual([]);
    expect(compared).toBeGreaterThan(3_000);
  });
});
