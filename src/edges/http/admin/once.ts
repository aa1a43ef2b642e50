// `Idempotency-Key` on the POSTs of operators: the same request asked again is answered as it was,
// and nothing is done a second time. What books before it is committed has a key also where none
// was sent: if it fails, its answer tells that key, under which it can be asked again safely.

import { createHash } from 'node:crypto';
import { ERROR_CODES, isRefused, type Refused, refuse } from '../../../core/errors.js';
import { randomBase62 } from '../../../core/id.js';
import { parseJson } from '../../../core/json.js';
import type { Log } from '../../../core/log.js';
import type { Queryable } from '../../../drivers/database.js';
import { answeredOnce, keepAnswer, type Once } from '../../../flows/admin/once.js';
import type { Exchange } from '../exchange.js';
import type { AdminRoute, Answer, Ask } from './doors.js';
import { rawBody } from './read.js';
import { refuseSql } from './refuse-sql.js';

const KEY_LENGTH = 22;
const NOTHING = Buffer.alloc(0);

export async function doOnce(
  deps: { database: Queryable; log: Log },
  route: Pick<AdminRoute, 'body' | 'door' | 'books'>,
  ask: Ask,
): Promise<Answer | Refused | undefined> {
  const { exchange, actor } = ask;
  const { idempotencyKey, credential: secret } = exchange.said;
  const minted = route.books && idempotencyKey === undefined ? randomBase62(KEY_LENGTH) : undefined;
  const key = idempotencyKey ?? minted;
  if (key === undefined || actor.id === null || isRefused(secret)) return route.door(ask);
  if (isRefused(key)) return key;
  const body = route.body ? await rawBody(exchange) : NOTHING;
  if (body === undefined || isRefused(body)) return body;
  const hash = createHash('sha256').update(`${exchange.path}\n`).update(body).digest();
  const once: Once = { actorId: actor.id, key, hash };
  const before = await answeredOnce(deps.database, once, secret);
  if (before) {
    if (isRefused(before)) return before;
    return { status: before.status, body: parseJson(before.text), replayed: true };
  }
  const doing = route.door({ ...ask, actor: { ...actor, once } });
  const answer = await (minted === undefined ? doing : doing.catch(toldOf(deps.log, exchange)));
  if (isRefused(answer) && minted !== undefined) return withKey(answer, minted);
  if (answer === undefined || isRefused(answer)) return answer;
  const text = JSON.stringify(answer.body);
  await keepAnswer(deps, once, secret, { status: answer.status, text });
  return answer;
}

// As the server tells what a door threw, but as a value.
const toldOf =
  (log: Log, { requestId }: Exchange) =>
  (error: unknown): Refused => {
    try {
      return refuseSql(error);
    } catch {
      log.error({ requestId, error }, 'a request failed inside the gateway');
      return refuse('internal_error', 'The gateway failed.');
    }
  };

function withKey(answer: Refused, key: string): Refused {
  const { code, message, headers, metadata } = answer.refused;
  if (ERROR_CODES[code].status < 500) return answer;
  const more = 'To ask again, send the Idempotency-Key of this answer: it is then booked once.';
  return refuse(code, `${message} ${more}`, {
    headers: { ...headers, 'idempotency-key': key },
    metadata: { ...metadata, idempotency_key: key },
  });
}
