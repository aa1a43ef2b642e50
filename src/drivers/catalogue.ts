// What a database's schema is, as text: the same text on PostgreSQL 15 and on PGlite, so that
// `sql/schema.sql` can be compared with a live database. Verification asks that and more.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Database } from './database.js';
import { type MigrateOptions, migrationStates } from './migrate.js';
import { SQL_DIR } from './migration-files.js';

export interface Finding {
  check: string;
  passed: boolean;
  /** What to do, where it did not pass. */
  remedy: string;
}

/** The schema as SQL, in the form of `sql/schema.sql`; monthly partitions are left out. */
export async function describeSchema(database: Database, sqlDir = SQL_DIR): Promise<string> {
  const catalogue = await readFile(join(sqlDir, 'queries', 'catalogue.sql'), 'utf8');
  const rows = await database.query<{ definition: string }>(catalogue);
  const head =
    '-- Written from the catalogue of a migrated database; see README.md. Do not edit.\n';
  const statements = rows.map((row) => row.definition);
  const spaced = statements.map((one) => (one.includes('\n') ? `${one}\n` : one));
  return `${[head, ...spaced].join('\n')}\n`;
}

/** Runs every check; changes nothing. */
export async function verifyDatabase(options: MigrateOptions): Promise<Finding[]> {
  const sqlDir = options.sqlDir ?? SQL_DIR;
  const states = await migrationStates(options);
  const findings = states.map(({ version, name, state }) => ({
    check: `migration ${version} (${name}) is applied and unchanged`,
    passed: state === 'applied',
    remedy: state === 'pending' ? 'Run: purser migrate up' : `It is ${state}: see sql/README.md.`,
  }));
  if (findings.some((finding) => !finding.passed)) return findings;
  const verification = await readFile(join(sqlDir, 'queries', 'verify.sql'), 'utf8');
  findings.push(...(await options.database.query<Finding>(verification)));
  findings.push(await compareSchema(options.database, sqlDir));
  return findings;
}

async function compareSchema(database: Database, sqlDir: string): Promise<Finding> {
  const wanted = await readFile(join(sqlDir, 'schema.sql'), 'utf8');
  const live = await describeSchema(database, sqlDir);
  const missing = firstLineNotIn(wanted, live);
  const strange = firstLineNotIn(live, wanted);
  return {
    check: 'the schema is the one of sql/schema.sql',
    passed: live === wanted,
    remedy: `Missing: ${missing ?? 'nothing'}. Not known: ${strange ?? 'nothing'}.`,
  };
}

function firstLineNotIn(text: string, other: string): string | undefined {
  const lines = (of: string) => of.split('\n').map((line) => line.trim().replace(/,$/, ''));
  const known = new Set(lines(other));
  return lines(text).find((line) => !known.has(line));
}
