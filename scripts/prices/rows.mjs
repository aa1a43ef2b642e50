// Rows of one provider: priced models first, then listed ones that have no price there.

import { compile, knownNames, matches, undated } from './match.mjs';
import { SERVICE_TIERS } from './tier-rates.mjs';

const CLASSES = {
  input_mtok: 'input',
  cache_read_mtok: 'cached_read',
  cache_write_mtok: 'cache_write_5m',
  cache_write_1h_mtok: 'cache_write_1h',
  output_mtok: 'output',
  output_reasoning_mtok: 'reasoning',
  input_audio_mtok: 'audio_input',
  output_audio_mtok: 'audio_output',
  input_image_mtok: 'image_input',
};
// OpenAI bills reasoning that it does not stream; Google's and xAI's newer models do too.
const HIDDEN = {
  openai: /^(?:o\d|gpt-[5-9]|codex-mini|computer-use)/,
  azure: /^(?:o\d|gpt-[5-9]|codex-mini)/,
  google: /^gemini-(?:2\.5|[3-9])/,
  xai: /^grok-(?:[4-9]|build)(?!.*non-reasoning)/,
  openrouter: /^(?:openai\/(?:o\d|gpt-[5-9])|google\/gemini-(?:2\.5|[3-9])|x-ai\/grok-[4-9])/,
};

/** `{rows, mended}`: how many names had to be pinned because prefixes alone would mislead. */
export function rowsOf(provider, sources) {
  const entries = [];
  for (const model of provider.priced) {
    const { names, prefixes } = compile(model.match);
    names.add(model.id.toLowerCase());
    entries.push({ model, names, prefixes });
  }
  const mended = pinNames(entries, knownNames(provider));
  const limits = limitsOf(provider);
  const rows = entries.flatMap((entry) => pricedRows(provider.name, entry, limits, sources));
  const taken = new Set(entries.flatMap((entry) => [...entry.names]));
  const resolved = (name) => taken.has(name) || resolve(entries, name) !== undefined;
  for (const model of [...provider.listed, ...provider.stale]) {
    const id = model.id.toLowerCase();
    if (model.cost === undefined || resolved(id)) continue;
    if (model.cost.input === 0 && !id.endsWith(':free')) continue;
    taken.add(id);
    rows.push(listedRow(provider.name, model));
  }
  return { rows, mended };
}

// The first rule of genai-prices wins, ours is the longest prefix: where they would differ on a
// name that is known, the name is written into the row that genai-prices would take.
function pinNames(entries, known) {
  const owner = new Map();
  for (const entry of entries) {
    for (const name of entry.names) {
      const first = entries.find((other) => matches(other.model.match, name)) ?? entry;
      if (first !== entry) entry.names.delete(name);
      else if (owner.has(name)) entry.names.delete(name);
      else owner.set(name, entry);
    }
  }
  let mended = 0;
  for (const name of known) {
    const wanted = entries.find((entry) => matches(entry.model.match, name));
    if (wanted === undefined || resolve(entries, name) === wanted) continue;
    wanted.names.add(name);
    mended += 1;
  }
  return mended;
}

function resolve(entries, name) {
  const exact = (text) => entries.find((entry) => entry.names.has(text));
  const found = exact(name) ?? exact(undated(name));
  if (found) return found;
  let best;
  let length = 0;
  for (const entry of entries) {
    for (const prefix of entry.prefixes) {
      if (prefix.length > length && name.startsWith(prefix))
        [best, length] = [entry, prefix.length];
    }
  }
  return best;
}

function limitsOf(provider) {
  const limits = new Map();
  for (const model of [...provider.stale, ...provider.listed]) {
    limits.set(model.id.toLowerCase(), model);
  }
  return limits;
}

function pricedRows(provider, entry, limits, sources) {
  const { model } = entry;
  const id = model.id.toLowerCase();
  const names = [...entry.names].filter((name) => name !== id).sort();
  const prefixes = [...entry.prefixes].sort();
  const limit = [id, ...names].map((name) => limits.get(name)).find((found) => found !== undefined);
  const source = sources.versions.prices + (limit ? `; limits ${limit.source}` : '');
  // A window that is too small would refuse good calls, one too large only holds more.
  const context = Math.max(limit?.context ?? 0, model.context_window ?? 0);
  return datedPrices(model.prices)
    .filter(({ prices }) => prices.input_mtok !== undefined || model.id.endsWith(':free'))
    .map(({ from, prices }) => ({
      provider,
      model: id,
      ...(names.length > 0 && { names }),
      ...(prefixes.length > 0 && { prefixes }),
      ...(from && { from }),
      ...hourWrites(id, tokenPrices(prices)),
      ...fees(prices),
      ...limitMembers(provider, id, context, limit?.output),
      ...serviceTiers(provider, id),
      source,
    }));
}

// Rows by starting date. Hours of the day are not kept: the provider bills by its own clock at
// the end of a call, so a row has the dearest hour's price.
function datedPrices(prices) {
  if (!Array.isArray(prices)) return [{ prices }];
  const hourly = prices.filter((part) => part.constraint?.type === 'time_of_date');
  return prices
    .filter((part) => part.constraint?.type !== 'time_of_date')
    .map((part) => ({
      from: part.constraint?.start_date,
      prices: hourly.reduce((held, other) => dearest(held, other.prices), part.prices),
    }));
}

function dearest(left, right) {
  const merged = { ...left };
  for (const [key, value] of Object.entries(right)) {
    if (typeof value !== 'number') throw new Error(`hourly price of ${key} is no number`);
    merged[key] = Math.max(value, left[key] ?? 0);
  }
  return merged;
}

function tokenPrices(prices) {
  const starts = new Set();
  for (const key of Object.keys(CLASSES)) {
    for (const tier of prices[key]?.tiers ?? []) starts.add(tier.start);
  }
  const tiers = [...starts].sort((a, b) => a - b);
  const row = classesAt(prices, -1);
  if (tiers.length === 0) return row;
  return { ...row, tiers: tiers.map((above) => ({ above, ...classesAt(prices, above) })) };
}

/** The prices once the input is over `above` tokens. */
function classesAt(prices, above) {
  const row = {};
  for (const [key, name] of Object.entries(CLASSES)) {
    const price = prices[key];
    if (price === undefined) continue;
    const tier = price.tiers?.filter((part) => part.start <= above).at(-1);
    row[name] = pico(tier?.price ?? price.base ?? price);
  }
  row.input ??= 0;
  row.output ??= 0;
  return row;
}

// Claude's cache writes for an hour cost twice the input price; the sources lack it for some.
function hourWrites(id, row) {
  if (!id.includes('claude') || row.cache_write_5m === undefined) return row;
  const filled = { ...row, cache_write_1h: row.cache_write_1h ?? row.input * 2 };
  return row.tiers ? { ...filled, tiers: row.tiers.map((tier) => hourWrites(id, tier)) } : filled;
}

function fees(prices) {
  const each = (thousand) => Math.ceil(pico(thousand));
  return {
    ...(prices.requests_kcount > 0 && { fee_request_nano_usd: each(prices.requests_kcount) }),
    ...(prices.web_searches_kcount > 0 && {
      fee_web_search_nano_usd: each(prices.web_searches_kcount),
    }),
  };
}

function limitMembers(provider, id, context, output) {
  return {
    ...(context > 0 && { context_tokens: context }),
    ...(output > 0 && { output_tokens_max: output }),
    ...(HIDDEN[provider]?.test(id) && { hidden_output: true }),
  };
}

function serviceTiers(provider, id) {
  const tiers = SERVICE_TIERS[provider]?.[id];
  return tiers === undefined ? {} : { service_tiers: tiers };
}

function listedRow(provider, model) {
  const id = model.id.toLowerCase();
  const { tiers, ...base } = model.cost;
  const classes = (part) =>
    Object.fromEntries(
      Object.entries(part).map(([key, value]) => [key, key === 'above' ? value : pico(value)]),
    );
  return {
    provider,
    model: id,
    ...hourWrites(id, { ...classes(base), ...(tiers && { tiers: tiers.map(classes) }) }),
    ...limitMembers(provider, id, model.context, model.output),
    source: model.source,
  };
}

/** USD a million tokens as pico-USD a token; a float's dust is rounded off, a rest upwards. */
function pico(usdPerMillion) {
  const exact = Number((usdPerMillion * 1e6).toPrecision(12));
  return Math.ceil(exact);
}
