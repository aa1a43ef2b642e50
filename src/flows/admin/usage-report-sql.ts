// The one statement of a report. The same expressions serve both of its sources, which differ in
// what one of their rows counts for and in how they call its time.

import { type Dimension, EXPRESSIONS, type Group, NAMED, type Time } from './usage-dimensions.js';

export interface ReportPlan {
  groups: readonly Group[];
  filters: Readonly<Partial<Record<Dimension, string>>>;
  tags: Readonly<Record<string, string>>;
  zone: string;
  sinceMs: number;
  untilMs: number | null;
  /** The whole hours that the sums answer for; null: the rows answer for all of it. */
  hours: { fromMs: number; toMs: number | null } | null;
}

const COUNTS = [
  'tokens_in',
  'tokens_out',
  'tokens_cached_read',
  'tokens_cache_write',
  'tokens_reasoning',
  'tokens_saved',
] as const;
const MONEY = ['cost_usd', 'overrun_usd', 'saved_usd'] as const;

/** Its rows have `g0` and `name0` for the first group and so on, and `<sum>` and `total_<sum>`. */
export function reportQuery(
  plan: ReportPlan,
  groupsMax: number,
): { text: string; params: unknown[] } {
  const params: unknown[] = [];
  const param = (value: unknown, type: string) => `$${params.push(value)}::${type}`;
  const keys = plan.groups.map((group) => keyOf(group, plan, param));
  const where = conditions(plan, param);
  const moment = (atMs: number) => `to_timestamp(${param(atMs, 'bigint')} / 1000.0)`;
  const source = (table: string, at: string, count: string, times: string[]) =>
    `select ${[
      ...keys.map((key, i) => `${key.replaceAll('@at', at)} as g${i}`),
      `case when kind = 'base' then ${count} else 0 end as calls, ${count} as rows`,
      ...[...COUNTS, ...MONEY],
    ].join(', ')} from ${table} where ${[...times, ...where].join(' and ')}`;
  const rows = (times: string[]) => source('token_usage', 'timestamp', '1', times);
  const parts: string[] = [];
  const end = () => (plan.untilMs === null ? [] : [`timestamp < ${moment(plan.untilMs)}`]);
  if (plan.hours === null) {
    parts.push(rows([`timestamp >= ${moment(plan.sinceMs)}`, ...end()]));
  } else {
    const { fromMs, toMs } = plan.hours;
    const to = toMs === null ? [] : [`hour < ${moment(toMs)}`];
    const times = [`hour >= ${moment(fromMs)}`, ...to];
    parts.push(source('usage_hours', 'hour', 'row_count', times));
    if (plan.sinceMs < fromMs) {
      const [since, from] = [moment(plan.sinceMs), moment(fromMs)];
      parts.push(rows([`timestamp >= ${since}`, `timestamp < ${from}`]));
    }
    if (toMs !== null && toMs !== plan.untilMs) {
      parts.push(rows([`timestamp >= ${moment(toMs)}`, ...end()]));
    }
  }
  return { text: whole(plan.groups, parts.join('\nunion all '), groupsMax), params };
}

function whole(groups: readonly Group[], source: string, groupsMax: number): string {
  const keys = groups.map((_, i) => `g${i}`);
  const sums = ['calls', 'rows', ...COUNTS, ...MONEY];
  const names = groups.flatMap(({ kind, name }, i) => {
    const named = kind === 'dimension' ? NAMED[name] : undefined;
    return named ? [`${named.name.replaceAll('$', `s.g${i}`)} as name${i}`] : [];
  });
  const times = keys.filter((_, i) => groups[i]?.kind === 'time');
  const order = [...times, 'sum_cost_usd desc', 'sum_rows desc', ...keys];
  const by = keys.length === 0 ? '' : `group by ${keys.join(', ')}`;
  return `with used as (${source}), s as (
  select ${[...keys, ...sums.map((name) => `sum(${name}) as sum_${name}`)].join(', ')}
  from used ${by} having sum(rows) > 0)
select ${[
    ...keys,
    ...names,
    ...sums.map((name) => `s.sum_${name}::text as ${name}`),
    ...sums.map((name) => `(sum(s.sum_${name}) over ())::text as total_${name}`),
  ].join(', ')}
from s order by ${order.join(', ')} limit ${groupsMax}`;
}

type Param = (value: unknown, type: string) => string;

function keyOf(group: Group, plan: ReportPlan, param: Param): string {
  if (group.kind === 'tag') return `tags->>${param(group.key, 'text')}`;
  if (group.kind === 'dimension') return EXPRESSIONS[group.name];
  return timeOf(group.name, param(plan.zone, 'text'));
}

// An hour is an instant: local hours repeat when clocks go back.
function timeOf(time: Time, zone: string): string {
  const local = `(@at at time zone ${zone})`;
  if (time === 'hour') {
    return `extract(epoch from @at - (${local} - date_trunc('hour', ${local})))::bigint`;
  }
  const formats = { day: 'YYYY-MM-DD', week: 'IYYY-"W"IW', month: 'YYYY-MM' };
  return `to_char(${local}, '${formats[time]}')`;
}

function conditions({ filters, tags }: ReportPlan, param: Param): string[] {
  const wanted = Object.entries(filters) as [Dimension, string][];
  return [
    ...wanted.map(([name, value]) => {
      const expression = EXPRESSIONS[name];
      if (value === '') return `${expression} is null`;
      const text = param(value, 'text');
      const found = NAMED[name]?.found;
      return found
        ? `${expression} in (${found.replaceAll('$', () => text)})`
        : `${expression} = ${text}`;
    }),
    ...Object.entries(tags).map(([key, value]) => {
      const tag = `tags->>${param(key, 'text')}`;
      return value === '' ? `${tag} is null` : `${tag} = ${param(value, 'text')}`;
    }),
  ];
}
