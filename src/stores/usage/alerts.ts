// Thresholds that a batch of rows has passed, found in the transaction that inserts them: a row of
// `alerts` is unique by envelope, label and threshold, so whoever inserts it tells, and nobody else
// ever does, however many gateways there are. What is told leaves by the outbox.

import type { Unit } from '../../core/amount.js';
import type { Queryable } from '../../drivers/database.js';
import { amountWithUnit, unitName } from '../../rules/budget/amount-text.js';
import type { Watched } from '../../rules/budget/watched.js';

/** What an envelope's limit is and who is told; undefined: it is not watched. */
export type Watch = (envelopeId: string) => Watched | undefined;

interface Alert {
  envelope: string;
  label: string;
  threshold: number;
  unit: Unit;
  committed: number;
  limit: number;
}

const INSERT_ALERTS = `insert into alerts
  (envelope_id, label, threshold, unit, committed, limit_amount)
select t.envelope_id, t.label, e.threshold, t.unit, t.committed, e.most
from unnest($1::text[], $2::text[], $3::numeric[], $4::bigint[])
  as e(envelope_id, label, threshold, most)
join envelope_totals t on t.envelope_id = e.envelope_id and t.label = e.label
where t.committed >= e.threshold * e.most
order by t.envelope_id, t.label, e.threshold
on conflict (envelope_id, label, threshold) do nothing
returning envelope_id as envelope, label, threshold::float8 as threshold, unit, committed,
  limit_amount as "limit"`;

const INSERT_OUTBOX = `insert into outbox (type, dedupe_key, payload)
select e.type, e.key, e.payload::jsonb
from unnest($1::text[], $2::text[], $3::text[]) as e(type, key, payload)
on conflict (dedupe_key) do nothing`;

const INSERT_NOTIFICATIONS = `insert into notifications
  (type, title, message, severity, user_id, project_id, agent_id, metadata)
select e.type, e.title, e.message, e.severity, u.id, p.id, a.id, e.metadata::jsonb
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[])
  as e(type, title, message, severity, project_id, agent_id, metadata)
left join projects p on p.id = e.project_id
left join agents a on a.id = e.agent_id
join users u on u.is_active and (u.id = p.owner_id or (p.id is null and u.is_admin))`;

export async function raiseAlerts(
  tx: Queryable,
  moved: readonly { envelope: string; label: string }[],
  watch: Watch,
  atMs: number,
): Promise<void> {
  const asked = moved.flatMap(({ envelope, label }) => {
    const { limit, thresholds } = watch(envelope) ?? { limit: 0, thresholds: [] };
    return thresholds.map((threshold) => ({ envelope, label, threshold, limit }));
  });
  if (asked.length === 0) return;
  const alerts = await tx.query<Alert>(INSERT_ALERTS, [
    asked.map(({ envelope }) => envelope),
    asked.map(({ label }) => label),
    asked.map(({ threshold }) => threshold),
    asked.map(({ limit }) => limit),
  ]);
  const told = alerts.flatMap((alert) => {
    const about = watch(alert.envelope);
    return about ? [tell(alert, about, atMs)] : [];
  });
  if (told.length === 0) return;
  await tx.query(INSERT_OUTBOX, [
    told.map(({ type }) => type),
    told.map(({ key }) => key),
    told.map(({ payload }) => payload),
  ]);
  await tx.query(INSERT_NOTIFICATIONS, [
    told.map(({ type }) => type),
    told.map(({ title }) => title),
    told.map(({ message }) => message),
    told.map(({ severity }) => severity),
    told.map(({ projectId }) => projectId),
    told.map(({ agentId }) => agentId),
    told.map(({ payload }) => payload),
  ]);
}

const TITLE_LENGTH_MAX = 200;

function tell(alert: Alert, { scope, projectId, agentId }: Watched, atMs: number) {
  const { envelope, label, threshold, unit, committed, limit } = alert;
  const isOut = threshold === 1;
  const type = isOut ? 'budget.exhausted' : 'budget.threshold_reached';
  const share = `${Math.round(threshold * 100)} %`;
  const title = isOut ? `${scope} is used up` : `${scope} has passed ${share}`;
  const spent = amountWithUnit(unit, committed);
  const message = `${spent} of ${amountWithUnit(unit, limit)} are spent (${label}).`;
  const data = { envelope, scope, label, unit: unitName(unit), threshold, limit, spent: committed };
  return {
    type,
    key: `${type}/${envelope}/${label}/${threshold}`,
    title: title.slice(0, TITLE_LENGTH_MAX),
    message,
    severity: isOut ? 'critical' : 'warning',
    projectId,
    agentId,
    payload: JSON.stringify({
      type,
      timestamp: new Date(atMs).toISOString(),
      data: { ...data, title, message },
    }),
  };
}
