// The single checks of `purser doctor`. Each answers what it saw and never throws for what is
// merely wrong with the world.

import { readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { dirname, join } from 'node:path';
import type { Clock } from '../../core/clock.js';
import { OperatorError } from '../../core/errors.js';
import { isJsonObject } from '../../core/json.js';
import { exchange } from './admin-door.js';
import type { CliDeps, CliFlags, CliSettings } from './deps.js';

export interface Finding {
  check: string;
  state: 'ok' | 'note' | 'fault';
  saw: string;
}

const DESCRIPTORS_MIN = 4096;
const DISK_BYTES_MIN = 1 << 30;
const CONNECT_MS = 3000;

export function node(): Finding {
  return { check: 'node', state: 'ok', saw: `${process.version} on ${process.platform}` };
}

/** Every call takes two sockets. */
export function descriptors(): Finding {
  const limits = readIfThere('/proc/self/limits');
  const soft = /Max open files\s+(\d+|unlimited)/.exec(limits ?? '')?.[1];
  if (soft === undefined) {
    return { check: 'descriptors', state: 'note', saw: 'the limit cannot be read on this system' };
  }
  const few = soft !== 'unlimited' && Number(soft) < DESCRIPTORS_MIN;
  const advice = few ? `; raise it to ${DESCRIPTORS_MIN} or more (ulimit -n)` : '';
  return { check: 'descriptors', state: few ? 'note' : 'ok', saw: `at most ${soft}${advice}` };
}

export function disk(folder: string): Finding {
  const place = nearestFolder(folder);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const saw = `${(free / 2 ** 30).toFixed(1)} GiB free at ${place}`;
  if (free >= DISK_BYTES_MIN) return { check: 'disk', state: 'ok', saw };
  return {
    check: 'disk',
    state: 'fault',
    saw: `${saw}; without room for the spool calls are refused`,
  };
}

/** A clock that went back would put calls into a period that is over. */
export function clock(source: Clock, folder: string): Finding {
  const nowMs = source.nowMs();
  const newestMs = newestFileMs(folder);
  const saw = new Date(nowMs).toISOString();
  if (newestMs <= nowMs + 2000) return { check: 'clock', state: 'ok', saw };
  const later = new Date(newestMs).toISOString();
  return { check: 'clock', state: 'fault', saw: `${saw}, but ${folder} was written at ${later}` };
}

export async function stores(
  deps: CliDeps,
  flags: CliFlags,
  { origin, ledger, database }: CliSettings,
): Promise<Finding[]> {
  const kinds = `ledger ${ledger}, database ${database}`;
  const running = await readiness(flags.url ?? origin);
  if (running !== undefined) {
    const at = `a gateway runs at ${flags.url ?? origin}`;
    return [{ check: 'gateway', state: 'ok', saw: `${at} (${kinds})` }, ...running];
  }
  const none: Finding = { check: 'gateway', state: 'note', saw: `none runs (${kinds})` };
  try {
    const local = await deps.openLocal(flags);
    try {
      return [none, ...((await readiness(local.origin)) ?? [])];
    } finally {
      await local.close();
    }
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    const saw = `${error.message}. ${error.remedy}`;
    return [none, { check: 'stores', state: 'fault', saw }];
  }
}

/** What `/readyz` says of each part; undefined where nothing answers. */
async function readiness(origin: string): Promise<Finding[] | undefined> {
  try {
    const { json } = await exchange(origin, { method: 'GET', path: '/readyz' });
    const parts = isJsonObject(json) && isJsonObject(json.checks) ? json.checks : {};
    return Object.entries(parts).map(([check, saw]) => ({
      check,
      state: saw === 'ok' ? 'ok' : 'fault',
      saw: String(saw),
    }));
  } catch (error) {
    if (error instanceof OperatorError) return undefined;
    throw error;
  }
}

export async function provider(
  { name, baseUrl, configured, keyVariable }: CliSettings['providers'][number],
  connect: boolean,
): Promise<Finding> {
  const check = name;
  if (!configured) return { check, state: 'note', saw: `no key: set ${keyVariable}` };
  if (!connect) return { check, state: 'ok', saw: `has what it needs for ${baseUrl}` };
  const url = new URL(baseUrl);
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  const fault = await tcpFault(url.hostname.replace(/^\[|\]$/g, ''), port);
  const place = `${url.hostname}:${port}`;
  if (fault === undefined) return { check, state: 'ok', saw: `${place} accepts connections` };
  return { check, state: 'fault', saw: `${place} does not accept connections (${fault})` };
}

function tcpFault(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host, port });
    const finish = (fault?: string) => {
      socket.destroy();
      resolve(fault);
    };
    socket.setTimeout(CONNECT_MS, () => finish(`no answer within ${CONNECT_MS / 1000} s`));
    socket.once('connect', () => finish());
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The folder itself, or the one that it would be made in. */
function nearestFolder(folder: string): string {
  const there = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
  return there || dirname(folder) === folder ? folder : nearestFolder(dirname(folder));
}

function newestFileMs(folder: string): number {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return 0;
  const times = readdirSync(folder).map(
    (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0,
  );
  return Math.max(0, ...times);
}
