// What is written beside a row where its provider keeps the answer: whose response it is, and,
// where its usage was counted, that the provider is to be asked for it.

import type { UsageEvent } from '../../core/usage-event.js';
import type { Queryable } from '../../drivers/database.js';
import { jsonText, uuidOrNull } from './row.js';

/** As long as providers keep responses. */
const KEPT_DAYS = 30;
/** A provider knows the usage of a call that was left some seconds later. */
const FIRST_ASKED_S = 30;

// A key that was deleted meanwhile has no responses any more, and its rows are no worse for it.
const INSERT_RESPONSE_IDS = `insert into response_ids (id, provider, key_id, expires_at)
select e.id, e.provider, k.id, now() + ${KEPT_DAYS} * interval '1 day'
from unnest($1::text[], $2::text[], $3::uuid[]) as e(id, provider, key_id)
join api_keys k on k.id = e.key_id
order by e.id
on conflict (id) do nothing`;

const INSERT_UNSETTLED = `insert into unsettled_calls (reservation_id, event, next_attempt_at)
select e.id, e.event::jsonb, now() + ${FIRST_ASKED_S} * interval '1 second'
from unnest($1::uuid[], $2::text[]) as e(id, event)
order by e.id
on conflict (reservation_id) do nothing`;

export function keepAnswers(
  tx: Queryable,
  fresh: readonly { row: { event: UsageEvent } }[],
): Promise<unknown>[] {
  const work: Promise<unknown>[] = [];
  const events = fresh.map(({ row }) => row.event);
  const responses = new Map<string, [string, string]>();
  for (const { reading, stub } of events) {
    const keyId = uuidOrNull(stub.attribution.keyId);
    if (reading?.kept?.as !== 'response' || keyId === null) continue;
    responses.set(reading.kept.id, [reading.provider, keyId]);
  }
  if (responses.size > 0) {
    const owners = [...responses.values()];
    const [providers, keys] = [owners.map(([name]) => name), owners.map(([, key]) => key)];
    work.push(tx.query(INSERT_RESPONSE_IDS, [[...responses.keys()], providers, keys]));
  }
  const unsettled = events.filter(isUnsettled);
  if (unsettled.length > 0) {
    const texts = unsettled.map((event) => jsonText(event));
    work.push(tx.query(INSERT_UNSETTLED, [unsettled.map(({ id }) => id), texts]));
  }
  return work;
}

// What earlier attempts may have cost is in the sum of a call and in no answer: it stays counted.
function isUnsettled({ kind, reading }: UsageEvent): boolean {
  if (kind !== 'base' || !reading?.kept || reading.attempts !== 1) return false;
  return reading.usageSource === 'counted' || reading.usageSource === 'estimated';
}
