// From a limit as the file spells it to one as the rows have it: exact integers, a name, no
// member that is only there for the reader.

import { AMOUNT_MEMBERS, AMOUNTS, type LimitFile } from './config-schema-limits.js';
import type { AgentConfig, LimitConfig } from './config-types.js';
import { assert } from './core/assert.js';
import { FREE_SCOPES } from './core/envelope.js';

export function limitConfig(limit: LimitFile, agents: readonly AgentConfig[]): LimitConfig {
  const member = AMOUNT_MEMBERS.find((one) => limit[one] !== undefined);
  assert(member !== undefined, 'a limit without an amount passed the schema');
  const { unit, word } = AMOUNTS[member];
  const period = limit.period ?? 'ever';
  const keyed = FREE_SCOPES.find((scope) => scope === limit.scope);
  const place = {
    project: limit.project ?? projectOf(limit, agents),
    agent: limit.agent ?? null,
    agentType: limit.agent_type ?? null,
    scopeKey: keyed === undefined ? null : (limit[keyed] ?? null),
  };
  const value = [place.project, place.agent, place.agentType, place.scopeKey]
    .filter((part) => part !== null)
    .join('/');
  return {
    name: limit.name ?? `${limit.scope}${value && `:${value}`}/${word}/${period}`,
    scopeType: limit.scope,
    ...place,
    unit,
    amount: limit[member] ?? 0,
    period,
    calendar: {
      timeZone: limit.time_zone,
      weekStart: limit.week_start,
      anchorDay: limit.anchor_day,
    },
    mode: limit.action_on_exceed,
    strict: limit.strict,
    visible: limit.visible,
    onLedgerDown: limit.on_ledger_down,
    thresholds: [...new Set([limit.alert_threshold, ...limit.alert_thresholds])].sort(
      (left, right) => left - right,
    ),
  };
}

// Where only one project of the file has an agent of that name, that project is meant. An agent
// that the admin API made is looked up when the limit is written to the database.
function projectOf(limit: LimitFile, agents: readonly AgentConfig[]): string | null {
  if (limit.scope !== 'agent') return null;
  return agents.find((agent) => agent.name === limit.agent)?.project ?? null;
}
