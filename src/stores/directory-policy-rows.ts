// The rows of tiers, of people at occasions and of exchange rates, as the directory has them.

import type {
  DefaultLimit,
  PairRow,
  RateRow,
  TierOverrideRow,
  TierRow,
} from '../core/directory.js';
import type { Log } from '../core/log.js';
import { isAmount, parseUsd } from '../core/money.js';
import { PERIODS } from '../core/period.js';
import type { Queryable } from '../drivers/database.js';
import { pairKey } from '../rules/budget/pair-envelope.js';
import { overrideKey } from '../rules/budget/tier.js';

export interface PolicyRows {
  tiers: ReadonlyMap<number, TierRow>;
  tierOverrides: ReadonlyMap<string, TierOverrideRow>;
  pairs: ReadonlyMap<string, PairRow>;
}

export async function readPolicyRows(database: Queryable, log: Log): Promise<PolicyRows> {
  const [tiers, overrides, pairs, rates] = await Promise.all([
    database.query<Omit<TierRow, 'limits'> & { limits: unknown }>(
      `select tier, access_level as level, allowed_models as "allowedModels",
         default_limits as limits, version from tiers`,
    ),
    database.query<Omit<TierOverrideRow, 'limits'> & { project: string; limits: unknown }>(
      `select project_id as project, tier, access_level as level,
         allowed_models as "allowedModels", default_limits as limits from tier_overrides`,
    ),
    database.query<SqlPair>(
      `select po.id, p.id as "personId", p.external_id as person, p.name as "personName",
         o.id as "occasionId", o.external_id as occasion, o.name as "occasionName",
         po.budget_amount as amount, po.budget_currency as currency, po.version
       from person_occasions po join persons p on p.id = po.person_id
       join occasions o on o.id = po.occasion_id`,
    ),
    database.query<{ currency: string; day: string; usdPerUnit: string }>(
      `select currency, valid_from as day, usd_per_unit as "usdPerUnit" from exchange_rates
       order by currency, valid_from`,
    ),
  ]);
  return {
    tiers: new Map(tiers.map((row) => [row.tier, { ...row, limits: limitsIn(row.limits, log) }])),
    tierOverrides: new Map(
      overrides.map(({ project, ...row }) => [
        overrideKey(project, row.tier),
        { ...row, limits: row.limits === null ? null : limitsIn(row.limits, log) },
      ]),
    ),
    pairs: pairsByNames(pairs, ratesByCurrency(rates)),
  };
}

interface SqlPair extends Omit<PairRow, 'rates' | 'scope'> {
  personId: string;
  person: string | null;
  personName: string;
  occasionId: string;
  occasion: string | null;
  occasionName: string;
}

// Callers name a person and an occasion by their external ids, or by our own.
function pairsByNames(
  rows: readonly SqlPair[],
  rates: ReadonlyMap<string, readonly RateRow[]>,
): Map<string, PairRow> {
  const pairs = new Map<string, PairRow>();
  for (const row of rows) {
    const { id, amount, currency, version } = row;
    const person = row.person ?? row.personName;
    const occasion = row.occasion ?? row.occasionName;
    const pair: PairRow = {
      id,
      scope: `person:${person}&occasion:${occasion}`,
      amount,
      currency,
      version,
      rates: rates.get(currency) ?? [],
    };
    for (const who of [row.person, row.personId]) {
      for (const when of [row.occasion, row.occasionId]) {
        if (who !== null && when !== null) pairs.set(pairKey(who, when), pair);
      }
    }
  }
  return pairs;
}

const ALWAYS: readonly RateRow[] = [{ fromMs: 0, usdPerUnit: '1.000000000' }];

function ratesByCurrency(
  rows: readonly { currency: string; day: string; usdPerUnit: string }[],
): Map<string, readonly RateRow[]> {
  const rates = new Map<string, RateRow[]>();
  for (const { currency, day, usdPerUnit } of rows) {
    const known = rates.get(currency) ?? [];
    rates.set(currency, known);
    known.push({ fromMs: new Date(`${day}T00:00:00Z`).getTime(), usdPerUnit });
  }
  return new Map([...rates, ['USD', ALWAYS]]);
}

const MEMBERS = [
  ['amount_usd', 'nano_usd'],
  ['amount_tokens', 'tokens'],
  ['amount_requests', 'requests'],
  ['amount_concurrency', 'concurrency'],
] as const;

// The door writes only what can be read here; a row by hand that cannot be is told and left out.
function limitsIn(value: unknown, log: Log): DefaultLimit[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((limit: Record<string, unknown>) => {
    for (const [member, unit] of MEMBERS) {
      const given = limit[member];
      if (typeof given !== 'string' && typeof given !== 'number') continue;
      const amount = unit === 'nano_usd' ? parseUsd(given) : Number(given);
      const period = PERIODS.find((one) => one === (limit.period ?? 'ever'));
      if (!isAmount(amount) || !period) break;
      return [{ unit, amount, period }];
    }
    log.warn({ limit }, 'a default limit of a tier cannot be read and is left out');
    return [];
  });
}
