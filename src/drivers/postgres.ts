// The only door to the `postgres` package: PostgreSQL by URL, PGlite through a stream.
// Every option is said here, so that nothing comes from the environment.

import type { Duplex } from 'node:stream';
import postgres from 'postgres';
import { Roster } from '../core/roster.js';
import { type Database, type DatabaseKind, type Queryable, sqlState } from './database.js';

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

export interface StreamOptions {
  /** Opens a connection; it speaks PostgreSQL's protocol. */
  connect: () => Promise<Duplex>;
  connectTimeoutMs: number;
  onNotice?: (message: string) => void;
}

type Sql = postgres.Sql<Record<string, never>>;

const INT8 = 20;
const DATE = 1082;
const CLOSE_TIMEOUT_S = 5;
const IN_FAILED_TRANSACTION = '25P02';

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

/** One connection, as PGlite needs it. */
export function openStream(options: StreamOptions): Database {
  // The package takes it; its types do not tell.
  const stream: object = { socket: options.connect };
  const open = (onclose: () => void) =>
    postgres({
      ...stream,
      onclose,
      host: 'localhost',
      port: 5432,
      user: 'postgres',
      database: 'postgres',
      ssl: false,
      max: 1,
      prepare: true,
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
  /** Refuses whoever waits for an answer. */
  waiting: Roster<(error: Error) => void>;
}

// What is sent on a lost connection of the package is never answered, or throws outside of every
// promise, which would end the process; one lost in the middle of a write hangs when it is opened
// again. So nothing more is sent to a pool that lost a connection, its own `begin` (which would
// send a rollback) is not used, who waits is refused, and the next query finds a new pool.
function adapt(open: (onClose: () => void) => Sql, kind: DatabaseKind): Database {
  let isClosed = false;
  const openPool = (): Pool => {
    const made: Pool = { isLost: false, waiting: new Roster(), sql: open(() => lose(made)) };
    return made;
  };
  const lose = (lost: Pool) => {
    if (lost.isLost || isClosed) return;
    lost.isLost = true;
    if (lost === pool) pool = openPool();
    for (const refuse of lost.waiting.all()) refuse(connectionLost());
    setImmediate(() => void lost.sql.end({ timeout: 0 }));
  };
  let pool = openPool();
  const ask = async <T>(own: Pool, work: () => Promise<T>): Promise<T> => {
    try {
      return await answered(own, work);
    } catch (error) {
      // The package tells of the error before it tells that the connection is closed.
      if (isOfConnection(error)) lose(own);
      throw error;
    }
  };
  const guarded = (sql: Sql, own: Pool): Queryable => {
    const inner = queryable(sql);
    return {
      query: <Row>(text: string, params?: readonly unknown[]) =>
        ask(own, () => inner.query<Row>(text, params)),
      run: (text) => ask(own, () => inner.run(text)),
    };
  };
  const onOne = async <T>(body: (session: Queryable) => Promise<T>): Promise<T> => {
    const own = pool;
    const reserved = await ask(own, () => own.sql.reserve());
    try {
      return await body(guarded(reserved as unknown as Sql, own));
    } finally {
      if (!own.isLost) reserved.release();
    }
  };
  return {
    kind,
    query: <Row>(text: string, params?: readonly unknown[]) =>
      guarded(pool.sql, pool).query<Row>(text, params),
    run: (text) => guarded(pool.sql, pool).run(text),
    session: onOne,
    transaction: (body) => onOne((session) => inTransaction(session, body)),
    async close() {
      isClosed = true;
      await pool.sql.end({ timeout: CLOSE_TIMEOUT_S });
    },
  };
}

/** The work's answer, or a refusal as soon as the pool is lost: some answers never come then. */
function answered<T>(pool: Pool, work: () => Promise<T>): Promise<T> {
  if (pool.isLost) return Promise.reject(connectionLost());
  return new Promise<T>((resolve, reject) => {
    const seat = pool.waiting.add(reject);
    const settle = (settled: () => void) => {
      pool.waiting.remove(seat);
      settled();
    };
    work().then(
      (answer) => settle(() => resolve(answer)),
      (error) => settle(() => reject(error)),
    );
  });
}

function connectionLost(): Error {
  return Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_LOST' });
}

function isOfConnection(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return /^(E[A-Z]+|CONNECTION_[A-Z]+|CONNECT_TIMEOUT)$/.test(String(error.code));
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
    // Of statements sent together those behind the failed one only say that one before them failed.
    throw failure && sqlState(error) === IN_FAILED_TRANSACTION ? failure.error : error;
  }
}

function queryable(sql: Sql): Queryable {
  return {
    async query<Row>(text: string, params: readonly unknown[] = []) {
      // The package takes an array's type from its first element; 0 lets the server say it.
      const values = params.map((value) => (Array.isArray(value) ? sql.typed(value, 0) : value));
      const rows = await sql.unsafe(text, values as never[], { prepare: true });
      return [...rows] as Row[];
    },
    async run(text) {
      await sql.unsafe(text).simple();
    },
  };
}
