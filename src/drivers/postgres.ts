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
  const open = (onclose: () => void) =>
    postgres(options.url, {
      max: options.max,
      onclose,
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
  return adapt((onClose) => open(onClose) as unknown as Sql, 'postgres');
}

/** One connection and no prepared statements, as PGlite needs it. */
export function openSocket(options: SocketOptions): Database {
  const open = (onclose: () => void) =>
    postgres({
      path: options.path,
      onclose,
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
  return adapt((onClose) => open(onClose) as unknown as Sql, 'pglite');
}

function notices(onNotice: ((message: string) => void) | undefined) {
  return (notice: postgres.Notice) => onNotice?.(notice.message ?? '');
}

/** The connections of one `postgres()`. Once one of them is lost, all of them are given up. */
interface Pool {
  sql: Sql;
  isLost: boolean;
}

// What is written to a lost connection of the package throws outside of every promise and would
// end the process, and a connection lost in the middle of a write hangs when it is opened again.
// So nothing more is sent to a pool that lost a connection, its own `begin` (which would send a
// rollback) is not used, and the next query finds a new pool.
function adapt(open: (onClose: () => void) => Sql, kind: DatabaseKind): Database {
  let isClosed = false;
  const openPool = (): Pool => {
    const made: Pool = { isLost: false, sql: open(() => lose(made)) };
    return made;
  };
  const lose = (lost: Pool) => {
    if (lost.isLost || isClosed) return;
    lost.isLost = true;
    if (lost === pool) pool = openPool();
    setImmediate(() => void lost.sql.end({ timeout: 0 }));
  };
  let pool = openPool();
  const onOne = async <T>(body: (session: Queryable) => Promise<T>): Promise<T> => {
    const own = pool;
    const reserved = await own.sql.reserve();
    try {
      return await body(guarded(queryable(reserved as unknown as Sql, kind), own));
    } finally {
      if (!own.isLost) reserved.release();
    }
  };
  return {
    kind,
    query: (text, params) => queryable(pool.sql, kind).query(text, params),
    run: (text) => queryable(pool.sql, kind).run(text),
    session: onOne,
    transaction: (body) => onOne((session) => inTransaction(session, body)),
    async close() {
      isClosed = true;
      await pool.sql.end({ timeout: CLOSE_TIMEOUT_S });
    },
  };
}

async function inTransaction<T>(
  session: Queryable,
  body: (tx: Queryable) => Promise<T>,
): Promise<T> {
  let failure: { error: unknown } | undefined;
  const noted = async <A>(work: Promise<A>): Promise<A> => {
    try {
      return await work;
    } catch (error) {
      failure ??= { error };
      throw error;
    }
  };
  await session.run('begin');
  try {
    const answer = await body({
      query: (text, params) => noted(session.query(text, params)),
      run: (text) => noted(session.run(text)),
    });
    // After a failed statement `commit` would roll back and answer as if all were well.
    if (failure) throw failure.error;
    await session.run('commit');
    return answer;
  } catch (error) {
    // Where that fails too the connection is lost, and its server rolls back.
    await session.run('rollback').catch(() => undefined);
    throw error;
  }
}

function guarded(session: Queryable, pool: Pool): Queryable {
  const lost = () => Object.assign(new Error('the connection was lost'), { code: 'LOST' });
  return {
    query: async (text, params) => {
      if (pool.isLost) throw lost();
      return session.query(text, params);
    },
    run: async (text) => {
      if (pool.isLost) throw lost();
      return session.run(text);
    },
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
