// What a door reads from a request's headers: who calls, for whom, and what may travel on. Client
// text is never repeated in a header unless it has a form that cannot do harm there.

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { type Refused, refuse } from '../../core/errors.js';
import { uuidV7 } from '../../core/id.js';
import { parseUsd } from '../../core/money.js';
import type { Attribution } from '../../core/usage-event.js';

const REQUEST_ID = /^[\w.:-]{1,64}$/;
const BEARER = /^bearer ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/i;
const CREDENTIAL_LENGTH_MAX = 1024;
// Attribution is kept in a reservation's stub of 2 KB: each text is cut, never refused.
const CLAIM_LENGTH_MAX = 128;
const TAGS_LENGTH_MAX = 512;
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

export function requestIdOf(headers: IncomingHttpHeaders, nowMs: number): string {
  const asked = headers['x-client-request-id'];
  return typeof asked === 'string' && REQUEST_ID.test(asked) ? asked : uuidV7(nowMs);
}

/** The one credential of a request; empty where there is none that could be a key. */
export function credentialOf(incoming: Pick<IncomingMessage, 'rawHeaders'>): string | Refused {
  const raw = incoming.rawHeaders;
  let found: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!;
    if (name.length !== 13 && name.length !== 9 && name.length !== 7) continue;
    const credential = credentialIn(name.toLowerCase(), raw[index + 1]!);
    if (credential === undefined) continue;
    if (found !== undefined && found !== credential) {
      return refuse('ambiguous_credentials', 'More than one credential was sent, and they differ.');
    }
    found = credential;
  }
  return found ?? '';
}

function credentialIn(name: string, value: string): string | undefined {
  if (name === 'authorization') {
    const token = BEARER.exec(value)?.[1] ?? '';
    return token.length > CREDENTIAL_LENGTH_MAX ? '' : token;
  }
  if (name !== 'x-api-key' && name !== 'api-key') return undefined;
  return value.length > CREDENTIAL_LENGTH_MAX ? '' : value;
}

const CLAIMS = {
  'x-purser-conversation-id': 'conversation',
  'x-purser-task-id': 'task',
  'x-purser-person': 'person',
  'x-purser-occasion': 'occasion',
  'x-purser-issue': 'issue',
  'x-purser-pull-request': 'pullRequest',
  'x-purser-session-id': 'sessionId',
} as const;

/** Attribution as the client tells it: never a reason to refuse a call. */
export function claimsOf(headers: IncomingHttpHeaders, endUser: string | undefined): Attribution {
  const claims: Attribution = {};
  for (const name in headers) {
    if (!name.startsWith('x-purser-')) continue;
    const member = CLAIMS[name as keyof typeof CLAIMS];
    const value = headers[name];
    if (member && typeof value === 'string' && value !== '') {
      claims[member] = value.slice(0, CLAIM_LENGTH_MAX);
    }
  }
  const tags = headers['x-purser-tags'];
  if (typeof tags === 'string') claims.tags = tagsIn(tags.slice(0, TAGS_LENGTH_MAX));
  if (endUser) claims.endUser = endUser.slice(0, CLAIM_LENGTH_MAX);
  return claims;
}

function tagsIn(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => {
    const at = pair.indexOf('=');
    return at < 0 ? [pair.trim(), ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== '' && name !== '__proto__'));
}

/** Headers that travel on to a provider; the client's account at a provider does not. */
export function passHeadersOf(headers: IncomingHttpHeaders): Record<string, string> {
  const pass: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string' && travels(name)) pass[name] = value;
  }
  return pass;
}

function travels(name: string): boolean {
  if (name === 'accept' || name === 'traceparent' || name.startsWith('anthropic-')) return true;
  return name.startsWith('openai-') && name !== 'openai-organization' && name !== 'openai-project';
}

export function idempotencyKeyOf(headers: IncomingHttpHeaders): string | undefined | Refused {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && IDEMPOTENCY_KEY.test(key)) return key;
  return refuse('invalid_header', 'Idempotency-Key must have 1 to 255 visible characters.', {
    param: 'Idempotency-Key',
  });
}

/** The most that the client lets this call cost. */
export function maxCostOf(headers: IncomingHttpHeaders): number | undefined | Refused {
  const text = headers['x-purser-max-cost-usd'];
  if (text === undefined) return undefined;
  const nano = typeof text === 'string' ? parseUsd(text) : undefined;
  if (nano !== undefined) return nano;
  return refuse('invalid_header', 'x-purser-max-cost-usd must be a plain decimal, such as 0.25.', {
    param: 'x-purser-max-cost-usd',
  });
}
