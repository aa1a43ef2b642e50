// The only door to the `postgres` package: PostgreSQL by URL, PGlite through its socket.
// Every option is said here, so that nothing comes from the environment.

import postgres from 'postgres';
import type { Database, DatabaseKind, Queryable } from './database.js';

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`. */
  url: string;
  /** Connections at most. */
  max: number;
  connectTimeoutMs: number;
  /** 0: no limit. */
  statementTimeoutMs: number;
  onNotice?: (message: string) => void;
}

export interface SocketOptions {
  /** Path of PGlite's unix socket. */
  path: string;
  connectTimeoutMs: number;
  onNotice?: (message: string) => void;
}

type Sql = postgres.Sql<Record<string, never>>;

const INT8 = 20;
const DATE = 1082;
const CLOSE_TIMEOUT_S = 5;

const TYPES = {
  bigint: {
    to: INT8,
    from: [INT8],
    serialize: (value: unknown) => String(value),
    parse: (raw: string) => {
      const value = Number(raw);
      return Number.isSafeInteger(value) ? value : BigInt(raw);
    },
  },
  // A day is a day: as a Date it would move with the machine's time zone.
  day: {
    to: DATE,
    from: [DATE],
    serialize: (value: unknown) => String(value),
    parse: (raw: string) => raw,
  },
};

export function openPostgres(options: PostgresOptions): Database {
  const sql = postgres(options.url, {
    max: options.max,
    prepare: true,
    fetch_types: true,
    connect_timeout: options.connectTimeoutMs / 1000,
    idle_timeout: 0,
    max_lifetime: null,
    keep_alive: 30,
    types: TYPES,
    onnotice: notices(options.onNotice),
    connection: {
      application_name: 'purser',
      statement_timeout: options.statementTimeoutMs,
      // Days and labels are computed in zones that are named; the session's must not matter.
      TimeZone: 'UTC',
    },
  });
  return adapt(sql as unknown as Sql, 'postgres');
}

/** One connection and no prepared statements, as PGlite needs it. */
export function openSocket(options: SocketOptions): Database {
  const sql = postgres({
    path: options.path,
    host: 'localhost',
    port: 5432,
    user: 'postgres',
    database: 'postgres',
    ssl: false,
    max: 1,
    prepare: false,
    fetch_types: true,
    connect_timeout: options.connectTimeoutMs / 1000,
    idle_timeout: 0,
    max_lifetime: null,
    keep_alive: null,
    types: TYPES,
    onnotice: notices(options.onNotice),
    connection: { application_name: 'purser' },
  });
  return adapt(sql as unknown as Sql, 'pglite');
}

function notices(onNotice: ((message: string) => void) | undefined) {
  return (notice: postgres.Notice) => onNotice?.(notice.message ?? '');
}

function adapt(sql: Sql, kind: DatabaseKind): Database {
  return {
    kind,
    ...queryable(sql, kind),
    async transaction(body) {
      // The package's answer type is changed by arrays in it; ours is handed round it instead.
      let answer: Awaited<ReturnType<typeof body>> | undefined;
      await sql.begin(async (tx) => {
        answer = await body(queryable(tx as unknown as Sql, kind));
      });
      return answer as Awaited<ReturnType<typeof body>>;
    },
    async session(body) {
      const reserved = await sql.reserve();
      try {
        return await body(queryable(reserved as unknown as Sql, kind));
      } finally {
        reserved.release();
      }
    },
    close: () => sql.end({ timeout: CLOSE_TIMEOUT_S }),
  };
}

function queryable(sql: Sql, kind: DatabaseKind): Queryable {
  const prepare = kind === 'postgres';
  return {
    async query<Row>(text: string, params: readonly unknown[] = []) {
      // The package takes an array's type from its first element; 0 lets the server say it.
      const values = params.map((value) => (Array.isArray(value) ? sql.typed(value, 0) : value));
      const rows = await sql.unsafe(text, values as never[], { prepare });
      return [...rows] as Row[];
    },
    async run(text) {
      await sql.unsafe(text).simple();
    },
  };
}
