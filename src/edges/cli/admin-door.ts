// The way to the admin API: over HTTP to the gateway that runs, else to one that is opened for this
// command alone. Speaks only to the address that the configuration or --url names.

import { existsSync, readFileSync } from 'node:fs';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { OperatorError } from '../../core/errors.js';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../core/json.js';
import type { CliDeps, CliFlags, CliSettings } from './deps.js';

const TIMEOUT_MS = 30_000;
const PAGE_ROWS = 200;

export interface AdminDoor {
  /** `gateway`: one was running; `database`: it was opened for this command. */
  readonly through: 'gateway' | 'database';
  get(path: string): Promise<JsonObject>;
  send(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: JsonObject): Promise<JsonObject>;
  /** A POST that books: under one key it is done once, so it is asked again by itself. */
  sendOnce(path: string, body: JsonObject, once: string): Promise<JsonObject>;
  /** Rows of all pages, at most `rowsMax`. */
  list(path: string, query?: Query, rowsMax?: number): Promise<JsonObject[]>;
  close(): Promise<void>;
}

export type Query = Readonly<Record<string, string | undefined>>;

export async function openAdmin(deps: CliDeps, flags: CliFlags): Promise<AdminDoor> {
  const settings = deps.settings(flags);
  const origin = flags.url ?? settings.origin;
  const running = await isRunning(origin);
  if (running) return doorAt(origin, 'gateway', () => readAdminKey(settings));
  if (flags.url !== undefined) {
    throw new OperatorError(`nothing answers at ${origin}`, 'Check --url, or start the gateway.');
  }
  const local = await deps.openLocal(flags);
  return doorAt(
    local.origin,
    'database',
    () => local.adminKey,
    () => local.close(),
  );
}

/** Works with the door and closes it, whatever happens. */
export async function withAdmin<T>(
  deps: CliDeps,
  flags: CliFlags,
  work: (door: AdminDoor) => Promise<T>,
): Promise<T> {
  const door = await openAdmin(deps, flags);
  try {
    return await work(door);
  } finally {
    await door.close();
  }
}

function readAdminKey({ adminKey, adminKeyFile }: CliSettings): string {
  if (adminKey !== null) return adminKey;
  if (existsSync(adminKeyFile)) return readFileSync(adminKeyFile, 'utf8').trim();
  throw new OperatorError(
    `there is no admin key: neither PURSER_ADMIN_KEY nor ${adminKeyFile}`,
    'Set PURSER_ADMIN_KEY to the key that the first start printed.',
  );
}

function doorAt(
  origin: string,
  through: AdminDoor['through'],
  keyOf: () => string,
  close: () => Promise<void> = async () => {},
): AdminDoor {
  const read = (answer: Answer, path: string): JsonObject => {
    if (answer.status >= 400) throw refusal(answer, path);
    return isJsonObject(answer.json) ? answer.json : {};
  };
  const send = async (method: string, path: string, body?: JsonObject): Promise<JsonObject> =>
    read(await exchange(origin, { method, path, body, key: keyOf() }), path);
  return {
    through,
    get: (path) => send('GET', path),
    send,
    async sendOnce(path, body, once) {
      const ask = (): Promise<Answer | OperatorError> =>
        exchange(origin, { method: 'POST', path, body, key: keyOf(), once }).then(
          (answer) => (answer.status >= 500 ? refusal(answer, path) : answer),
          (error: OperatorError) => error,
        );
      let answer = await ask();
      if (answer instanceof Error) answer = await ask();
      if (answer instanceof Error) {
        const { message, cause } = answer;
        const again = `Ask again with --once ${once}: what was booked is not booked twice.`;
        throw new OperatorError(message, again, { cause });
      }
      return read(answer, path);
    },
    async list(path, query = {}, rowsMax = 1000) {
      const rows: JsonObject[] = [];
      let cursor: string | undefined;
      do {
        const limit = String(Math.min(PAGE_ROWS, rowsMax - rows.length));
        const page = await send('GET', withQuery(path, { ...query, limit, cursor }));
        rows.push(...((page.data ?? []) as JsonObject[]));
        const next = page.next_cursor;
        cursor = typeof next === 'string' ? next : undefined;
      } while (cursor !== undefined && rows.length < rowsMax);
      return rows;
    },
    close,
  };
}

export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? path : `${path}?${given.join('&')}`;
}

interface Answer {
  status: number;
  json: Json | undefined;
}

const REMEDIES: Record<string, string> = {
  invalid_api_key: 'Set PURSER_ADMIN_KEY to an admin key of this gateway.',
  insufficient_permissions: 'Use a key whose role allows it.',
  managed_by_file: 'A limit of another scope, unit or period may be set beside it.',
  already_exists: 'Choose another name.',
  ledger_unavailable: 'Run `purser doctor`.',
};

function refusal({ status, json }: Answer, path: string): OperatorError {
  const error = isJsonObject(json) && isJsonObject(json.error) ? json.error : {};
  const message = typeof error.message === 'string' ? error.message : `${path}: ${status}`;
  const remedy = REMEDIES[String(error.code)] ?? 'See --help for what may be given.';
  return new OperatorError(message.replace(/\.$/, ''), remedy);
}

async function isRunning(origin: string): Promise<boolean> {
  try {
    await exchange(origin, { method: 'GET', path: '/healthz' });
    return true;
  } catch (error) {
    if (error instanceof OperatorError && error.cause !== undefined) {
      const { code } = error.cause as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED') return false;
    }
    throw error;
  }
}

/** One request; throws an OperatorError where no answer came, with what happened as its cause. */
export function exchange(
  origin: string,
  {
    method,
    path,
    body,
    key,
    once,
  }: {
    method: string;
    path: string;
    body?: JsonObject | undefined;
    key?: string;
    once?: string;
  },
): Promise<Answer> {
  const url = new URL(path, origin);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (key !== undefined) headers.authorization = `Bearer ${key}`;
  if (once !== undefined) headers['idempotency-key'] = once;
  if (text !== undefined) headers['content-type'] = 'application/json';
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) =>
      reject(
        new OperatorError(
          `no answer from ${url.origin} (${cause.message})`,
          'Run `purser doctor`, or name the gateway with --url.',
          { cause },
        ),
      );
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const outgoing = send(url, { method, headers, timeout: TIMEOUT_MS, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', fail);
      answer.on('end', () => {
        const status = answer.statusCode ?? 0;
        resolve({ status, json: parseJson(Buffer.concat(chunks).toString('utf8')) });
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 30 s')));
    outgoing.on('error', fail);
    outgoing.end(text);
  });
}
