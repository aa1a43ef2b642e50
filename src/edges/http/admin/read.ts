// Bytes to checked values for the admin doors: JSON of a bounded size and depth, then its schema;
// the first thing that is wrong is told with the member it is in.

import type { z } from 'zod';
import { isRefused, type Refused, refuse } from '../../../core/errors.js';
import { type Json, parseJson } from '../../../core/json.js';
import type { Body, Exchange } from '../exchange.js';

const OPTIONS = { bodyBytesMax: 256 * 1024, bodyIdleMs: 15_000 };
const DEPTH_MAX = 32;

/** The checked body; undefined if the client left. */
export async function readAs<S extends z.ZodType>(
  exchange: Exchange,
  schema: S,
): Promise<{ input: z.output<S> } | Refused | undefined> {
  const raw = await rawBody(exchange);
  if (raw === undefined || isRefused(raw)) return raw;
  const json = parseJson(raw.toString('utf8'));
  if (json === undefined) return refuse('invalid_json', 'The body is not JSON.');
  if (isTooDeep(json)) return refuse('too_deep', `The body is nested over ${DEPTH_MAX} levels.`);
  const input = check(json, schema);
  if (isRefused(input)) return input;
  if (!hasBadText(json)) return { input };
  return refuse('invalid_value', 'A text has a NUL character or half a surrogate pair.');
}

const raws = new WeakMap<Exchange, Body | Promise<Body>>();

/** The bytes, read once however often they are asked for; undefined if the client left. */
export function rawBody(exchange: Exchange): Body | Promise<Body> {
  if (raws.has(exchange)) return raws.get(exchange);
  const reading = exchange.readBody(OPTIONS);
  raws.set(exchange, reading);
  return reading;
}

/** The checked query; a member given twice is refused. */
export function readQuery<S extends z.ZodType>(
  exchange: Exchange,
  schema: S,
): z.output<S> | Refused {
  const { url } = exchange;
  const at = url.indexOf('?');
  const given = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
  const members: [string, string][] = [...given];
  const names = new Set(members.map(([name]) => name));
  if (names.size < members.length) {
    return refuse('invalid_value', 'A parameter of the query was given twice.');
  }
  return check(Object.fromEntries(members), schema);
}

function check<S extends z.ZodType>(value: unknown, schema: S): z.output<S> | Refused {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const param = [...issue.path.map(String), ...(unknown === undefined ? [] : [unknown])].join('.');
  const message = unknown === undefined ? issue.message : 'There is no such member.';
  const where = param === '' ? '' : `${param}: `;
  return refuse('invalid_value', `${where}${message}`.slice(0, 500), {
    ...(param !== '' && { param: param.slice(0, 200) }),
  });
}

// What SQL would refuse or write otherwise. Its depth is bounded by now.
function hasBadText(json: Json): boolean {
  if (typeof json === 'string') return json.includes('\0') || LONE_SURROGATE.test(json);
  if (typeof json !== 'object' || json === null) return false;
  return Object.entries(json).some(([name, value]) => hasBadText(name) || hasBadText(value));
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function isTooDeep(root: unknown): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; depth <= DEPTH_MAX; depth += 1) {
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
    if (level.length === 0) return false;
  }
  return true;
}
