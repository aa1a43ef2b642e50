// `Idempotency-Key` on the POSTs of operators: the same request asked again is answered as it was,
// and nothing is done a second time.

import { createHash } from 'node:crypto';
import { isRefused, type Refused } from '../../../core/errors.js';
import { parseJson } from '../../../core/json.js';
import type { Log } from '../../../core/log.js';
import type { Queryable } from '../../../drivers/database.js';
import { answeredOnce, keepAnswer, type Once } from '../../../flows/admin/once.js';
import type { AdminRoute, Answer, Ask } from './doors.js';
import { rawBody } from './read.js';

const NOTHING = Buffer.alloc(0);

export async function doOnce(
  deps: { database: Queryable; log: Log },
  route: Pick<AdminRoute, 'body' | 'door'>,
  ask: Ask,
): Promise<Answer | Refused | undefined> {
  const { exchange, actor } = ask;
  const { idempotencyKey: key, credential: secret } = exchange.said;
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
  const answer = await route.door({ ...ask, actor: { ...actor, once } });
  if (answer === undefined || isRefused(answer)) return answer;
  const text = JSON.stringify(answer.body);
  await keepAnswer(deps, once, secret, { status: answer.status, text });
  return answer;
}
