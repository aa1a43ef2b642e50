// Recorded streams of real providers, and the project's own, through the whole gateway: cut at
// random bytes on their way in, they come out as recorded but for what the contract names, and
// their rows have the tokens and the money of tables written by hand.

import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Story, startStory } from '../support/gateway.js';
import { ownTranscripts } from '../support/transcripts.js';

interface Recording {
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

const root = join(import.meta.dirname, '..', '..');
const recorded = process.env.RECORDINGS_DIR ?? join(root, '..', 'shared', 'recordings');
const table = join(root, 'test', 'fixtures', 'recordings', 'chat-classes.json');
const all = JSON.parse(readFileSync(table, 'utf8')) as Recording[];
const recordings = all.map((one) => ({ ...one, path: join(recorded, one.file) }));
const here = recordings.filter(({ path }) => existsSync(path));

/** Classes of the project's own transcripts: input, cached reads, output, reasoning. */
const OWN: Record<string, [number, number, number, number]> = {
  'azure-filter.sse': [8, 4, 9, 0],
  'groq-logprobs.sse': [45, 0, 3, 0],
  'mistral-parts.sse': [10, 0, 4, 0],
  'openai-padded.sse': [8, 4, 9, 0],
  'openai-two-choices-crlf.sse': [8, 4, 9, 0],
  'other-odd-lines-cr.sse': [8, 4, 9, 0],
  'xai-reasoning.sse': [1, 11, 1, 340],
};
const OWN_PRICE = { input: '1.5', cached: '0.25', output: '6' };
const own = ownTranscripts()
  .filter(({ name }) => OWN[name])
  .map(({ name, provider }): Recording & { path: string } => {
    const [input, cachedRead, output, reasoning] = OWN[name]!;
    return {
      ...{ file: name, provider, model: 'own', input, cachedRead, output, reasoning },
      path: join(root, 'test', 'fixtures', 'chat', name),
      usd_per_million: OWN_PRICE,
      usd_per_request: '0',
    };
  });
const streams = [...own, ...here].filter(({ file }) => file.endsWith('.sse'));
const wholes = here.filter(({ file }) => file.endsWith('.json'));

const PROVIDERS = [...new Set([...own, ...recordings].map(({ provider }) => provider))];
// The catalog has no rows for these two; the others are priced by it.
const UNLISTED = {
  'alibaba/qwen3-max': { input: 1.2, output: 6 },
  'mistral/magistral-medium-2507': { input: 2, output: 5 },
};

let story: Story;
let spentNano = 0n;

beforeAll(async () => {
  const ownPrice = { input: '1.5', cached_read: '0.25', output: '6' };
  const ownPrices = Object.fromEntries(PROVIDERS.map((name) => [`${name}/own`, ownPrice]));
  story = await startStory({
    database: 'postgres',
    providers: PROVIDERS,
    config: { prices: { ...UNLISTED, ...ownPrices } },
  });
});
afterAll(async () => {
  const rows = await story.rows();
  const total = rows.reduce((sum, row) => sum + nanoOf(String(row.cost_usd)), 0n);
  expect(total).toBe(spentNano);
  await story.end();
});

function nanoOf(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Pico-USD a token is USD a million tokens with six places fewer. */
function picoOf(usdPerMillion: string): bigint {
  return nanoOf(usdPerMillion) / 1000n;
}

function costNano(one: Recording): bigint {
  const { input, cached, output } = one.usd_per_million;
  const pico =
    BigInt(one.input) * picoOf(input) +
    BigInt(one.cachedRead) * picoOf(cached) +
    BigInt(one.output + one.reasoning) * picoOf(output) +
    nanoOf(one.usd_per_request) * 1000n;
  return (pico + 999n) / 1000n;
}

function usdText(nano: bigint): string {
  const digits = nano.toString().padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0{1,3}$/, '');
  return `${digits.slice(0, -9)}.${fraction}`;
}

// What a block of comments alone says.
const NO_DATA = {};

/** Whole events of a stream, each with its bytes as latin1 and its parsed data. */
function eventsOf(bytes: Buffer): { text: string; told: unknown }[] {
  const blocks = bytes.toString('latin1').match(/[\s\S]*?(?:\r\n|\n|\r)(?:\r\n|\n|\r)/g) ?? [];
  return blocks.map((text) => {
    const lines = text.split(/\r\n|\n|\r/).filter((line) => line.startsWith('data:'));
    const data = lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
    if (data === '[DONE]') return { text, told: data };
    return {
      text,
      told: data === '' ? NO_DATA : JSON.parse(Buffer.from(data, 'latin1').toString()),
    };
  });
}

/** What a client must get: all events but the terminator and, not asked for, usage alone. */
function passing(bytes: Buffer, wantsUsage: boolean) {
  return eventsOf(bytes).filter(({ told }) => {
    if (told === '[DONE]') return false;
    const { choices, usage } = told as { choices?: unknown[]; usage?: unknown };
    return wantsUsage || !(choices?.length === 0 && usage !== null && typeof usage === 'object');
  });
}

const bodyOf = (one: Recording, wantsUsage: boolean) => ({
  model: `${one.provider}/${one.model}`,
  messages: [{ role: 'user' as const, content: 'Say what was recorded.' }],
  stream: true as const,
  ...(wantsUsage ? { stream_options: { include_usage: true } } : {}),
});

/** What was booked must be what the table says; the spending so far goes on. */
async function checkRow(one: Recording): Promise<void> {
  const row = (await story.rows()).at(-1)!;
  const { provider, model, input, cachedRead, output, reasoning } = one;
  expect(row).toMatchObject({ provider, model, usage_source: 'provider', outcome: 'completed' });
  // A class that was not used is left out.
  const used = Object.entries({ input, cachedRead, output, reasoning }).filter(([, n]) => n > 0);
  expect(row.usage_classes).toEqual({ ...Object.fromEntries(used), requests: 1 });
  expect([row.tokens_in, row.tokens_out].map(Number)).toEqual([
    input + cachedRead,
    output + reasoning,
  ]);
  expect(nanoOf(String(row.cost_usd))).toBe(costNano(one));
}

function terminator(one: Recording): string {
  const remaining = 100_000_000_000n - spentNano;
  return `: purser cost_usd=${usdText(costNano(one))} remaining_usd=${usdText(remaining)}\ndata: [DONE]\n\n`;
}

const CUTS = [0, 1, 2, 3];

test.each(streams)('$file passes byte for byte, however it is cut, and is booked', async (one) => {
  const bytes = readFileSync(one.path);
  for (const seed of CUTS) {
    const wantsUsage = seed % 2 === 1;
    const count = seed < 2 ? 12 : Math.min(150, Math.ceil(bytes.length / 30));
    story.upstream.enqueue({ replay: one.path, cuts: { seed, count } });
    const response = await story.post(bodyOf(one, wantsUsage));
    const got = Buffer.from(await response.arrayBuffer()).toString('latin1');
    spentNano += costNano(one);
    const want = passing(bytes, wantsUsage).map(({ text }) => text);
    expect(got === want.join('') + terminator(one), `seed ${seed}: the bytes`).toBe(true);
    await checkRow(one);
  }
});

test.each(streams)('$file reaches the openai client event for event', async (one) => {
  // The client reads lines that end in CR alone only at the end of a stream: not its recording.
  if (one.file.endsWith('-cr.sse')) return;
  const bytes = readFileSync(one.path);
  for (const wantsUsage of [false, true]) {
    story.upstream.enqueue({ replay: one.path, cuts: { seed: 7, count: 40 } });
    const chunks: unknown[] = [];
    const stream = await story.openai.chat.completions.create(bodyOf(one, wantsUsage));
    for await (const chunk of stream) chunks.push(chunk);
    spentNano += costNano(one);
    const told = passing(bytes, wantsUsage).map((event) => event.told);
    expect(chunks).toEqual(told.filter((event) => event !== NO_DATA));
    await checkRow(one);
  }
});

test.skipIf(wholes.length === 0).each(wholes)(
  '$file passes byte for byte, with its cost in its headers',
  async (one) => {
    const bytes = readFileSync(one.path);
    const headers = { 'content-type': 'application/json' };
    story.upstream.enqueue({ replay: one.path, headers, cuts: { seed: 3, count: 9 } });
    const { stream: _, ...body } = bodyOf(one, false);
    const response = await story.post(body);
    const got = Buffer.from(await response.arrayBuffer());
    spentNano += costNano(one);
    expect(got.equals(bytes)).toBe(true);
    expect(response.headers.get('x-purser-cost-usd')).toBe(usdText(costNano(one)));
    await checkRow(one);
    // The client's own reading of the same bytes.
    story.upstream.enqueue({ replay: one.path, headers });
    const told = await story.openai.chat.completions.create(body);
    spentNano += costNano(one);
    expect(told).toMatchObject(JSON.parse(bytes.toString()) as object);
    await checkRow(one);
  },
);

test('every own transcript with usage has its row in the table above', () => {
  const names = ownTranscripts().map(({ name }) => name);
  expect(names.filter((name) => !OWN[name])).toEqual(['openai-error-inside.sse']);
  expect(here.length === 0 || here.length === recordings.length).toBe(true);
  expect(here.map(({ file }) => basename(file)).length).toBe(here.length);
});
