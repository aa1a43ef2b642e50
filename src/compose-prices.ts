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

const GO_BACK = 'Go back to the prices of this version: `purser price update --shipped`.';
const GIVE_A_FILE =
  'Give a file of the form of config/prices.json, such as that of a newer version.';

export function readCatalog(config: Config): Catalog {
  const own = ownFile(config);
  return buildCatalog(existsSync(own) ? readPriceFile(own, GO_BACK) : shipped(), config.prices);
}

/** `path`: the file that is to be the catalog from the next start on; null: the shipped one. */
export function changeCatalog(config: Config, path: string | null, write: boolean): CatalogChange {
  const own = ownFile(config);
  const file = path === null ? shipped() : readPriceFile(path, GIVE_A_FILE);
  const before = inForceOrShipped(config);
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

// What is in force may be what cannot be read: another one must be possible all the same.
function inForceOrShipped(config: Config): Catalog {
  try {
    return readCatalog(config);
  } catch (error) {
    if (error instanceof OperatorError) return buildCatalog(shipped());
    throw error;
  }
}

function ownFile(config: Config): string {
  return join(config.dataDir, 'prices.json');
}

function shipped(): PriceFile {
  return parseOwnJson<PriceFile>(readFileSync(SHIPPED, 'utf8'));
}

function readPriceFile(path: string, remedy: string): PriceFile {
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
  try {
    buildCatalog({ ...file, fallbacks: {} });
  } catch (cause) {
    // It names the row, but not the file that it is in.
    if (!(cause instanceof OperatorError)) throw cause;
    throw new OperatorError(`${path}: ${cause.message}`, remedy, { cause });
  }
  return { ...file, fallbacks: file.fallbacks ?? shipped().fallbacks };
}

function isRow(row: unknown): boolean {
  if (!isJsonObject(row)) return false;
  return [row.provider, row.model, row.source].every((text) => typeof text === 'string');
}
