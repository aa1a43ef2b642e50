// What a door reads from a request's headers: who calls, for whom, and what may travel on. Client
// text is never repeated in a header unless it has a form that cannot do harm there.

import type { IncomingHttpHeaders } from 'node:http';
import { type Refused, refuse } from '../../core/errors.js';
import { parseUsd } from '../../core/money.js';
import type { Attribution } from '../../core/usage-event.js';

const REQUEST_ID = /^[\w.:-]{1,64}$/;
const BEARER = /^bearer ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)$/i;
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-?8"?\s*)?$/i;
const CREDENTIAL_LENGTH_MAX = 1024;
// Attribution is kept in a reservation's stub of 2 KB: each text is cut, never refused.
const CLAIM_LENGTH_MAX = 128;
const TAGS_LENGTH_MAX = 512;
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** What headers say. Requests with the same head share one: it is never changed. */
export interface Said {
  /** Empty where there is none that could be a key. */
  readonly credential: string | Refused;
  readonly idempotencyKey: string | undefined | Refused;
  /** The most that the client lets this call cost. */
  readonly maxCostNanoUsd: number | undefined | Refused;
  /** Attribution as the client tells it: never a reason to refuse a call. */
  readonly claims: Attribution;
  /** What travels on to a provider; the client's account at a provider does not. */
  readonly passHeaders: Readonly<Record<string, string>>;
  /** The client's own id of the request, if it can do no harm. */
  readonly requestId: string | undefined;
  /** Why a body of this kind is not taken. */
  readonly bodyRefused: Refused | undefined;
}

type Headers = IncomingHttpHeaders;

/** `raw` has names and values in turn, as they came. */
export function saidIn(headers: Headers, raw: readonly string[]): Said {
  return {
    credential: credentialIn(raw),
    idempotencyKey: idempotencyKeyIn(headers),
    maxCostNanoUsd: maxCostIn(headers),
    claims: claimsIn(headers),
    passHeaders: passHeadersIn(headers),
    requestId: requestIdIn(headers),
    bodyRefused: bodyRefusedIn(headers),
  };
}

/** The claims of the headers and that of the body. */
export function claimsWith(claims: Attribution, endUser: string | undefined): Attribution {
  return endUser ? { ...claims, endUser: endUser.slice(0, CLAIM_LENGTH_MAX) } : claims;
}

function requestIdIn(headers: Headers): string | undefined {
  const asked = headers['x-client-request-id'];
  return typeof asked === 'string' && REQUEST_ID.test(asked) ? asked : undefined;
}

function bodyRefusedIn(headers: Headers): Refused | undefined {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return refuse('unsupported_content_encoding', 'Send the body as it is, not compressed.', {
      headers: { 'accept-encoding': 'identity' },
    });
  }
  if (!JSON_TYPE.test(headers['content-type'] ?? '')) {
    return refuse('unsupported_media_type', 'Send the body with "Content-Type: application/json".');
  }
  return undefined;
}

function credentialIn(raw: readonly string[]): string | Refused {
  let found: string | undefined;
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index]!;
    if (name.length !== 13 && name.length !== 9 && name.length !== 7) continue;
    const credential = keyIn(name.toLowerCase(), raw[index + 1]!);
    if (credential === undefined) continue;
    if (found !== undefined && found !== credential) {
      return refuse('ambiguous_credentials', 'More than one credential was sent, and they differ.');
    }
    found = credential;
  }
  return found ?? '';
}

function keyIn(name: string, value: string): string | undefined {
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

function claimsIn(headers: Headers): Attribution {
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
  return claims;
}

function tagsIn(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => {
    const at = pair.indexOf('=');
    return at < 0 ? [pair.trim(), ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== '' && name !== '__proto__'));
}

const SHARED_MAX = 256;
const SHARED_CHARS_MAX = 1024;
const shared = new Map<string, Readonly<Record<string, string>>>();

// One object for all who send the same, so that what follows from it is worked out once.
function passHeadersIn(headers: Headers): Readonly<Record<string, string>> {
  const pass: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string' && travels(name)) pass[name] = value;
  }
  const key = 'traceparent' in pass ? '' : JSON.stringify(pass);
  const known = shared.get(key);
  if (known) return known;
  const own = Object.freeze(pass);
  if (key === '' || key.length > SHARED_CHARS_MAX) return own;
  if (shared.size >= SHARED_MAX) shared.clear();
  shared.set(key, own);
  return own;
}

function travels(name: string): boolean {
  if (name === 'accept' || name === 'traceparent' || name.startsWith('anthropic-')) return true;
  return name.startsWith('openai-') && name !== 'openai-organization' && name !== 'openai-project';
}

function idempotencyKeyIn(headers: Headers): string | undefined | Refused {
  const key = headers['idempotency-key'];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && IDEMPOTENCY_KEY.test(key)) return key;
  return refuse('invalid_header', 'Idempotency-Key must have 1 to 255 visible characters.', {
    param: 'Idempotency-Key',
  });
}

function maxCostIn(headers: Headers): number | undefined | Refused {
  const text = headers['x-purser-max-cost-usd'];
  if (text === undefined) return undefined;
  const nano = typeof text === 'string' ? parseUsd(text) : undefined;
  if (nano !== undefined) return nano;
  return refuse('invalid_header', 'x-purser-max-cost-usd must be a plain decimal, such as 0.25.', {
    param: 'x-purser-max-cost-usd',
  });
}
