// Why Redis cannot answer, in a closed list. Its own texts stay in `text`, for logs: a client must
// never read them, and no caller may take one of them for a yes. The client's own error is dropped,
// because it carries the command's arguments.

import { TIMED_OUT } from './redis-deadlines.js';

export type RedisReason =
  | 'timeout'
  | 'closed'
  | 'breaker_open'
  | 'loading'
  | 'cluster_down'
  | 'readonly'
  | 'not_persisting'
  | 'memory'
  | 'replicas'
  | 'credentials'
  | 'not_permitted'
  | 'busy'
  | 'failed';

export class RedisUnavailable extends Error {
  override name = 'RedisUnavailable';
  readonly reason: RedisReason;
  /** Whether the command may have been carried out all the same. */
  readonly outcome: 'not_done' | 'unknown';
  /** What Redis or the client said. */
  readonly text: string;

  constructor(reason: RedisReason, outcome: 'not_done' | 'unknown', cause?: unknown) {
    super(`redis cannot answer: ${reason}`);
    this.reason = reason;
    this.outcome = outcome;
    this.text = cause instanceof Error ? cause.message : '';
  }
}

/** An error that Redis answered, in its words. */
export class ReplyError extends Error {
  override name = 'ReplyError';
}

// The first word of an error reply. A script refused before it starts answers with the same words.
const REPLY_REASONS: Readonly<Record<string, RedisReason>> = {
  LOADING: 'loading',
  CLUSTERDOWN: 'cluster_down',
  MASTERDOWN: 'cluster_down',
  TRYAGAIN: 'cluster_down',
  MOVED: 'cluster_down',
  ASK: 'cluster_down',
  READONLY: 'readonly',
  MISCONF: 'not_persisting',
  OOM: 'memory',
  NOREPLICAS: 'replicas',
  NOAUTH: 'credentials',
  WRONGPASS: 'credentials',
  NOPERM: 'not_permitted',
  BUSY: 'busy',
  UNKILLABLE: 'busy',
};

export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** A password for a Redis that wants none: clients go on, and Redis takes that for no failure. */
export function isPasswordNotWanted(error: unknown): boolean {
  const text = error instanceof RedisUnavailable ? error.text : `${error}`;
  return text.includes('without any password configured');
}

/** What a rejected command of the client means. */
export function unavailable(error: unknown): RedisUnavailable {
  if (error instanceof RedisUnavailable) return error;
  const text = error instanceof Error ? error.message : '';
  if (text === TIMED_OUT) return new RedisUnavailable('timeout', 'unknown', error);
  if (text.includes("Stream isn't writeable")) {
    return new RedisUnavailable('closed', 'not_done', error);
  }
  if (error instanceof Error && error.name === 'ReplyError') {
    const reason = REPLY_REASONS[text.split(' ', 1)[0] ?? ''];
    // A script that fails half-way keeps what it has written.
    return new RedisUnavailable(reason ?? 'failed', reason ? 'not_done' : 'unknown', error);
  }
  return new RedisUnavailable('closed', 'unknown', error);
}

const BREAKING: ReadonlySet<RedisReason> = new Set([
  'timeout',
  'closed',
  'loading',
  'cluster_down',
  'readonly',
  'credentials',
  'busy',
]);

/** Whether the next command would meet the same, so that it need not be sent. */
export function breaks(reason: RedisReason): boolean {
  return BREAKING.has(reason);
}
