// What the commands need from the roof. Each command is a function of this and nothing else, so
// that tests hand in a scripted gateway and a printer that remembers.

import type { Clock } from '../../core/clock.js';
import type { MigrationState, MigrationStep } from '../../drivers/migrate.js';
import type { Catalog } from '../../rules/catalog/catalog.js';

/** Flags by their name without dashes, as the configuration takes them. */
export type CliFlags = Readonly<Record<string, string | undefined>>;

export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Width of the terminal; what does not fit wraps by itself. */
  readonly columns: number;
}

/** As much of the configuration as the commands show or use. */
export interface CliSettings {
  configFile: string;
  warnings: readonly string[];
  /** Where the gateway's operator doors are: `http://127.0.0.1:8787`. */
  origin: string;
  /** From PURSER_ADMIN_KEY or the configuration; null: read `adminKeyFile`. */
  adminKey: string | null;
  adminKeyFile: string;
  dataDir: string;
  ledger: 'memory' | 'redis';
  database: 'embedded' | 'postgres';
  providers: readonly {
    name: string;
    baseUrl: string;
    configured: boolean;
    keyVariable: string;
  }[];
}

/** The admin API of this installation served to this process alone, where no gateway runs. */
export interface LocalDoor {
  origin: string;
  adminKey: string;
  close(): Promise<void>;
}

export interface Migrator {
  up(to?: number): Promise<number[]>;
  down(to: number): Promise<number[]>;
  states(): Promise<MigrationState[]>;
  /** What is wrong with the schema; empty: nothing. */
  verify(): Promise<string[]>;
  close(): Promise<void>;
}

export interface CatalogChange {
  before: Catalog;
  after: Catalog;
  /** The file that the catalog is read from then. */
  file: string;
}

export interface CliDeps {
  version: string;
  out: Output;
  err: Output;
  clock: Clock;
  /** Throws an `OperatorError` that names every fault. */
  settings(flags: CliFlags): CliSettings;
  /** Resolves when the gateway listens; it then lives until a signal. */
  start(flags: CliFlags): Promise<void>;
  openLocal(flags: CliFlags): Promise<LocalDoor>;
  openMigrator(flags: CliFlags, onStep: (step: MigrationStep) => void): Promise<Migrator>;
  openCatalog(flags: CliFlags): Catalog;
  /** From the next start on the catalog is this file, or (null) the one of this version. */
  changeCatalog(flags: CliFlags, path: string | null, write: boolean): CatalogChange;
}
