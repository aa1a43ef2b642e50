// The wire to SQL as stores use it: the same for PostgreSQL and for the embedded PGlite.
// Types on the way back: bigint is a number (a BigInt where a number would not be exact), numeric
// and date are text, timestamptz is a Date, jsonb is parsed, bytea is a Buffer. (A null inside an
// SQL array comes back as the text NULL: select such things as jsonb.)
// On the way in: arrays for `unnest($1::uuid[], ...)`; jsonb takes an object or array and not its
// text, but an *array* of jsonb goes as text[] and is cast in SQL (an array in it would nest).

export type DatabaseKind = 'postgres' | 'pglite';

export interface Queryable {
  /** One statement with `$1` parameters; answers its rows. */
  query<Row = Record<string, unknown>>(text: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Any number of statements, without parameters and without an answer. */
  run(text: string): Promise<void>;
}

export interface Database extends Queryable {
  readonly kind: DatabaseKind;
  /**
   * Commits when `body` ends, rolls back when it throws. PGlite has one connection: a query on the
   * database itself inside `body` would wait for `body` for ever; use what it is given.
   */
  transaction<T>(body: (tx: Queryable) => Promise<T>): Promise<T>;
  /** One connection for the whole of `body`: what session locks need. Same warning as above. */
  session<T>(body: (session: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** The SQLSTATE of a database's error (`23505` is a unique violation); undefined for any other. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const { code } = error;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Whether an error says that the database could not be reached, or does not serve now. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return UNREACHABLE.test(String(error.code));
}

const UNREACHABLE = /^(E[A-Z]{2,}|CONNECTION_[A-Z]+|CONNECT_TIMEOUT|08...|53300|57P0[123])$/;
