// Which catalog is in force: the one that an operator put beside the data, else the one that came
// with this version. A file becomes the catalog only once all of it was read as prices.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.js';
import { OperatorError } from './core/errors.js';
import { isJsonObject, parseJson, parseOwnJson } from './core/json.js';
import type { CatalogChange } from './edges/cli/deps.js';
import { buildCatalog, type Catalog } from './rules/catalog/catalog.js';
import type { PriceFile } from './rules/catalog/row.js';

const SHIPPED = fileURLToPath(new URL('../config/prices.json', import.meta.url));

export function readCatalog(config: Config): Catalog {
  const own = ownFile(config);
  if (!existsSync(own)) return buildCatalog(shipped(), config.prices);
  try {
    return buildCatalog(readPriceFile(own), config.prices);
  } catch (cause) {
    throw new OperatorError(
      cause instanceof Error ? cause.message : String(cause),
      'Go back to the prices of this version with `purser price update --shipped`.',
      { cause },
    );
  }
}

/** `path`: the file that is to be the catalog from the next start on; null: the shipped one. */
export function changeCatalog(config: Config, path: string | null, write: boolean): CatalogChange {
  const own = ownFile(config);
  const file = path === null ? shipped() : readPriceFile(path);
  // What is in force may be what cannot be read: going back must be possible all the same.
  const before = path === null ? inForceOrShipped(own, config) : readCatalog(config);
  const after = buildCatalog(file, config.prices);
  if (write && path === null) rmSync(own, { force: true });
  if (write && path !== null) {
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
    // Whole or not at all, whenever a gateway may start.
    writeFileSync(`${own}.new`, JSON.stringify(file));
    renameSync(`${own}.new`, own);
  }
  return { before, after, file: path === null ? SHIPPED : own };
}

function inForceOrShipped(own: string, config: Config): Catalog {
  try {
    return readCatalog(config);
  } catch (error) {
    if (error instanceof OperatorError && existsSync(own)) return buildCatalog(shipped());
    throw error;
  }
}

function ownFile(config: Config): string {
  return join(config.dataDir, 'prices.json');
}

function shipped(): PriceFile {
  return parseOwnJson<PriceFile>(readFileSync(SHIPPED, 'utf8'));
}

function readPriceFile(path: string): PriceFile {
  const remedy = 'Give a file of the form of config/prices.json, such as that of a newer version.';
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new OperatorError(`${path} cannot be read`, remedy, { cause });
  }
  const json = parseJson(text);
  const rows = isJsonObject(json) ? json.rows : undefined;
  if (!Array.isArray(rows) || rows.length === 0 || !rows.every(isRow)) {
    throw new OperatorError(`${path} has no rows of prices`, remedy);
  }
  const file = json as unknown as PriceFile;
  // Throws, with the row's name, where an amount is none.
  buildCatalog({ ...file, fallbacks: {} });
  return { ...file, fallbacks: file.fallbacks ?? shipped().fallbacks };
}

function isRow(row: unknown): boolean {
  if (!isJsonObject(row)) return false;
  return [row.provider, row.model, row.source].every((text) => typeof text === 'string');
}
