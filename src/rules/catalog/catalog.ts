// The price catalog, compiled once: an exact name is one look-up, then the name without its date,
// then the longest prefix. Overrides win over rows, rows over the fallback providers' rows.

import type { Price } from '../../core/price.js';
import { overriddenPrice, type PriceOverride } from './override.js';
import { type PriceFile, type PriceRow, priceOf } from './row.js';

export interface Catalog {
  /** The price of a model at a moment, or undefined where nothing is known of it. */
  find(provider: string, model: string, atMs: number): Price | undefined;
  /** Every row, overrides first, for lists. */
  list(): readonly ListedPrice[];
}

export interface ListedPrice {
  price: Price;
  names: readonly string[];
  prefixes: readonly string[];
  /** From when on; -Infinity: since ever. */
  fromMs: number;
}

interface Index {
  exact: Map<string, ListedPrice[]>;
  /** Longest first. */
  prefixes: [string, ListedPrice[]][];
}

/** `provider/model` or `provider/prefix*` to its override. */
export type PriceOverrides = Readonly<Record<string, PriceOverride>>;

export function buildCatalog(file: PriceFile, overrides: PriceOverrides = {}): Catalog {
  const listed = file.rows.map(listedRow);
  const rows = indexed(listed);
  const own = Object.entries(overrides).map(([name, override]) =>
    listedOverride(name, override, rows),
  );
  const overridden = indexed(own);

  function find(provider: string, model: string, atMs: number): Price | undefined {
    const name = model.toLowerCase();
    const found =
      lookUp(overridden.get(provider), name, atMs) ?? lookUp(rows.get(provider), name, atMs);
    if (found !== undefined) return found.price;
    for (const other of file.fallbacks[provider] ?? []) {
      const price = lookUp(rows.get(other), name, atMs)?.price;
      if (price !== undefined) return price;
    }
    return undefined;
  }

  return { find, list: () => [...own, ...listed] };
}

function listedRow(row: PriceRow): ListedPrice {
  return {
    price: priceOf(row),
    names: [row.model, ...(row.names ?? [])],
    prefixes: row.prefixes ?? [],
    fromMs: row.from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(row.from),
  };
}

// An override of a row's own name holds for all names of that row; of an alias, for that alone.
function listedOverride(name: string, override: PriceOverride, rows: Map<string, Index>) {
  const slash = name.indexOf('/');
  const provider = name.slice(0, slash);
  const model = name.slice(slash + 1).toLowerCase();
  const fromMs = Number.NEGATIVE_INFINITY;
  if (model.endsWith('*')) {
    const price = overriddenPrice(name, override);
    return { price, names: [], prefixes: [model.slice(0, -1)], fromMs };
  }
  const base = lookUp(rows.get(provider), model, Number.POSITIVE_INFINITY);
  const price = overriddenPrice(name, override, base?.price);
  if (base?.price.model !== model) return { price, names: [model], prefixes: [], fromMs };
  return { price, names: base.names, prefixes: base.prefixes, fromMs };
}

function indexed(listed: readonly ListedPrice[]): Map<string, Index> {
  const providers = new Map<string, { exact: Index['exact']; prefixes: Index['exact'] }>();
  for (const entry of listed) {
    let index = providers.get(entry.price.provider);
    if (index === undefined) {
      index = { exact: new Map(), prefixes: new Map() };
      providers.set(entry.price.provider, index);
    }
    for (const name of entry.names) push(index.exact, name, entry);
    for (const prefix of entry.prefixes) push(index.prefixes, prefix, entry);
  }
  const built = new Map<string, Index>();
  for (const [provider, { exact, prefixes }] of providers) {
    const longestFirst = [...prefixes].sort((left, right) => right[0].length - left[0].length);
    built.set(provider, { exact, prefixes: longestFirst });
  }
  return built;
}

function push(map: Index['exact'], key: string, entry: ListedPrice): void {
  const held = map.get(key);
  if (held === undefined) map.set(key, [entry]);
  else held.push(entry);
}

function lookUp(index: Index | undefined, name: string, atMs: number): ListedPrice | undefined {
  if (index === undefined) return undefined;
  const rows =
    index.exact.get(name) ??
    index.exact.get(undated(name)) ??
    index.prefixes.find(([prefix]) => name.startsWith(prefix))?.[1];
  return rows === undefined ? undefined : newest(rows, atMs);
}

// Before the first dated row the oldest one holds: a price that is too old beats none.
function newest(rows: readonly ListedPrice[], atMs: number): ListedPrice | undefined {
  let best = rows[0];
  for (const row of rows) {
    if (best === undefined || (row.fromMs <= atMs && row.fromMs >= best.fromMs)) best = row;
    else if (best.fromMs > atMs && row.fromMs < best.fromMs) best = row;
  }
  return best;
}

// Only whole dates: `mistral-small-2506` is another model than `mistral-small`.
function undated(name: string): string {
  return name.replace(/[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$/, '');
}
