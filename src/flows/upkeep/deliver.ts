// Brings notices to their receivers: Standard Webhooks, signed, and Slack. What is not taken is
// tried again, later and later; what nobody takes after ten tries stays as a dead letter.

import type { Clock } from '../../core/clock.js';
import type { Log } from '../../core/log.js';
import { webhookHeaders } from '../../rules/alerts/sign-webhook.js';
import type { Notice, NoticeQueue } from '../../stores/notices.js';
import { type Repeated, repeat } from './repeat.js';

export interface Destination {
  /** `webhook 1`, `slack 1`: never the address, which may be a secret. */
  name: string;
  kind: 'webhook' | 'slack';
  url: string;
  /** Of a webhook: what it is signed with. */
  secret: string;
  /** Undefined: every event. */
  events?: readonly string[] | undefined;
}

export interface DeliverOptions {
  queue: NoticeQueue;
  destinations: readonly Destination[];
  post(
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    timeoutMs: number,
  ): Promise<{ status: number }>;
  clock: Clock;
  log: Log;
  everyMs: number;
}

const TIMEOUT_MS = 10_000;
/** Longer than a try may take, so that nobody else takes it up meanwhile. */
const LEASE_MS = 30_000;
const BATCH_MAX = 20;
const TRIES_MAX = 10;
const AGAIN_MIN_MS = 1_000;
const AGAIN_MAX_MS = 3_600_000;

export function createDelivery(options: DeliverOptions): Repeated & { round(): Promise<number> } {
  const { queue, destinations, clock, log, everyMs } = options;
  const names = destinations.map(({ name }) => name);
  const round = async (): Promise<number> => {
    const notices = await queue.claim(names, BATCH_MAX, LEASE_MS);
    await Promise.all(notices.map((notice) => deliver(options, notice)));
    return notices.length;
  };
  return { round, ...repeat({ clock, log, everyMs, name: 'the delivery of notices' }, round) };
}

async function deliver(options: DeliverOptions, notice: Notice): Promise<void> {
  const { queue, destinations, log } = options;
  const { id, type, attempts } = notice;
  const to = destinations.find(({ name }) => name === notice.destination);
  if (!to || to.events?.includes(type) === false) return queue.delivered(id);
  const failure = await tryOnce(options, to, notice);
  if (failure === undefined) return queue.delivered(id);
  const isLast = attempts >= TRIES_MAX;
  const againInMs = Math.min(AGAIN_MAX_MS, AGAIN_MIN_MS * 4 ** (attempts - 1));
  const fields = { id, type, destination: to.name, attempts, failure };
  if (isLast) log.error(fields, 'a notice was taken by nobody and is given up');
  else log.warn(fields, 'a notice was not taken and is tried again');
  await queue.failed(id, failure, isLast ? null : againInMs);
}

/** What went wrong; undefined: it was taken. */
async function tryOnce(
  { post, clock }: DeliverOptions,
  to: Destination,
  { id, payload }: Notice,
): Promise<string | undefined> {
  const isSlack = to.kind === 'slack';
  const body = JSON.stringify(isSlack ? { text: slackText(payload) } : payload);
  const timestampS = Math.floor(clock.nowMs() / 1000);
  const headers = isSlack ? {} : webhookHeaders(to.secret, id, timestampS, body);
  try {
    const { status } = await post(to.url, headers, body, TIMEOUT_MS);
    return status >= 200 && status < 300 ? undefined : `it answered ${status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function slackText({ type, data }: Notice['payload']): string {
  const { title, message } = (data ?? {}) as { title?: string; message?: string };
  return [title ?? String(type), message].filter((part) => part !== undefined).join('\n');
}
