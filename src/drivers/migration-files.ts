// The migrations as they lie in `sql/migrations`: pairs `0001_name.up.sql` and `.down.sql`,
// numbered without a gap. A file that has landed is never edited: its checksum is in the database.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OperatorError } from '../core/errors.js';

/** The folder `sql` of this installation: migrations, queries, schema.sql. */
export const SQL_DIR = fileURLToPath(new URL('../../sql', import.meta.url));

export type MigrationErrorCode =
  | 'checksum_mismatch'
  | 'database_newer'
  | 'files_broken'
  | 'lock_timeout'
  | 'migration_failed'
  | 'out_of_order'
  | 'prerequisite_missing'
  | 'unknown_target';

export class MigrationError extends OperatorError {
  override name = 'MigrationError';
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, remedy, options);
    this.code = code;
  }
}

export interface Script {
  /** The file's name, for messages. */
  file: string;
  /** What is sent at once: one text, or one per statement where no transaction is wanted. */
  statements: string[];
  inTransaction: boolean;
}

export interface Migration {
  version: number;
  /** `core` of `0001_core.up.sql`. */
  name: string;
  /** SHA-256 of the up file, line ends as LF. */
  checksum: string;
  up: Script;
  down: Script;
}

const FILE = /^(\d{4})_([a-z0-9_]+)\.(up|down)\.sql$/;
const NO_TRANSACTION = '-- no-transaction';

/** All migrations in order. */
export async function readMigrations(sqlDir: string): Promise<Migration[]> {
  const directory = join(sqlDir, 'migrations');
  const texts = new Map<string, string>();
  for (const file of (await readdir(directory)).sort()) {
    if (!file.endsWith('.sql')) continue;
    if (!FILE.test(file)) throw broken(`${file} is not named like 0001_name.up.sql`);
    const text = await readFile(join(directory, file), 'utf8');
    texts.set(file, text.replaceAll('\r\n', '\n'));
  }
  const ups = [...texts.keys()].filter((file) => file.endsWith('.up.sql'));
  if (ups.length * 2 !== texts.size) throw broken('a file lacks its up or down twin');
  return ups.map((file, index) => {
    const [, number, name] = FILE.exec(file) ?? [];
    const version = Number(number);
    if (version !== index + 1 || name === undefined) throw broken(`${file} is out of sequence`);
    const downFile = file.replace('.up.sql', '.down.sql');
    const upText = texts.get(file) ?? '';
    const downText = texts.get(downFile);
    if (downText === undefined) throw broken(`${downFile} is missing`);
    return {
      version,
      name,
      checksum: createHash('sha256').update(upText).digest('hex'),
      up: readScript(file, upText),
      down: readScript(downFile, downText),
    };
  });
}

function readScript(file: string, text: string): Script {
  if (!text.startsWith(`${NO_TRANSACTION}\n`)) {
    return { file, statements: [text], inTransaction: true };
  }
  // Several statements sent at once are one transaction again, so here each goes alone.
  const statements = text.split(/;[ \t]*\n[ \t]*(?:\n|$)/).filter((one) => one.trim() !== '');
  return { file, statements, inTransaction: false };
}

function broken(what: string): MigrationError {
  return new MigrationError(
    'files_broken',
    `The migrations are not complete: ${what}.`,
    'Install Purser again, or restore sql/migrations from its repository.',
  );
}
