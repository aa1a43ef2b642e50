// What was used, summed by whatever is asked for: exact, and always what a plain GROUP BY over the
// rows comes to. Whole hours come from `usage_hours` where it knows the dimensions, the rest of
// the time from the rows, in one statement and so of one moment.

import { type Refused, refuse } from '../../core/errors.js';
import { type Queryable, sqlState } from '../../drivers/database.js';
import { firstInstantAt, offsetMs } from '../../rules/budget/local-time.js';
import { type Dimension, type Group, isRolled, NAMED } from './usage-dimensions.js';
import { type ReportPlan, reportQuery } from './usage-report-sql.js';

export interface ReportRequest {
  groups: readonly Group[];
  /** An instant, or a day that begins in the zone; 30 days ago if absent. */
  since?: string | undefined;
  /** Up to but not at it; without end if absent. */
  until?: string | undefined;
  /** IANA; UTC if absent. */
  zone?: string | undefined;
  /** Exact values by dimension; an empty one: those that have none. */
  filters: Readonly<Partial<Record<Dimension, string>>>;
  tags: Readonly<Record<string, string>>;
}

export interface UsageSums {
  calls: number;
  rows: number;
  tokens_in: number;
  tokens_out: number;
  tokens_cached_read: number;
  tokens_cache_write: number;
  tokens_reasoning: number;
  /** What fitting prompts to their budgets kept from being sent. */
  tokens_saved: number;
  /** Decimal text, exact. */
  cost_usd: string;
  overrun_usd: string;
  /** The saved tokens at the plain input price of their calls. */
  saved_usd: string;
}

export interface UsageReport {
  group_by: string[];
  since: string;
  until: string | null;
  zone: string;
  answered_from: 'hours' | 'rows' | 'both';
  /** Names of the members of `data`, in order. */
  columns: string[];
  data: Record<string, unknown>[];
  /** Of all groups, also of those that were left out. */
  total: UsageSums;
  /** False where there are more groups than are shown. */
  complete: boolean;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SPAN_DEFAULT_MS = 30 * DAY_MS;
export const GROUPS_MAX = 10_000;
/** Offsets are looked at so often within the time asked for. */
const OFFSET_STEPS_MAX = 4_000;
const SUMS = [
  'calls',
  'rows',
  'tokens_in',
  'tokens_out',
  'tokens_cached_read',
  'tokens_cache_write',
  'tokens_reasoning',
  'tokens_saved',
  'cost_usd',
  'overrun_usd',
  'saved_usd',
] as const;

export async function reportUsage(
  deps: { database: Queryable; clock: { nowMs(): number } },
  request: ReportRequest,
): Promise<UsageReport | Refused> {
  const zone = request.zone ?? 'UTC';
  const nowMs = deps.clock.nowMs();
  const sinceMs = momentMs(request.since, zone) ?? nowMs - SPAN_DEFAULT_MS;
  const untilMs = momentMs(request.until, zone) ?? null;
  const plan = planOf(request, { zone, sinceMs, untilMs, nowMs });
  const { text, params } = reportQuery(plan, GROUPS_MAX + 1);
  let rows: Record<string, unknown>[];
  try {
    rows = await deps.database.query(text, params);
  } catch (error) {
    // The runtime and the database may know different zones.
    if (sqlState(error) !== '22023') throw error;
    return refuse('invalid_value', `The database knows no time zone ${zone}.`, { param: 'zone' });
  }
  const columns = columnsOf(request.groups);
  return {
    group_by: request.groups.map(({ name }) => name),
    since: new Date(sinceMs).toISOString(),
    until: untilMs === null ? null : new Date(untilMs).toISOString(),
    zone,
    answered_from: answeredFrom(plan),
    columns,
    data: rows.slice(0, GROUPS_MAX).map((row) => shown(row, request.groups, zone)),
    total: totalOf(rows[0]),
    complete: rows.length <= GROUPS_MAX,
  };
}

function momentMs(text: string | undefined, zone: string): number | undefined {
  if (text === undefined) return undefined;
  const atMs = Date.parse(text);
  return text.length === 'YYYY-MM-DD'.length ? firstInstantAt(zone, atMs) : atMs;
}

function planOf(
  { groups, filters, tags }: ReportRequest,
  span: { zone: string; sinceMs: number; untilMs: number | null; nowMs: number },
): ReportPlan {
  const { zone, sinceMs, untilMs } = span;
  const plan = { groups, filters, tags, zone, sinceMs, untilMs };
  const known =
    Object.keys(tags).length === 0 &&
    Object.keys(filters).every(isRolled) &&
    groups.every(({ kind, name }) => kind === 'time' || isRolled(name));
  const byTime = groups.some(({ kind }) => kind === 'time');
  if (!known || (byTime && !hasWholeHours(zone, sinceMs, untilMs ?? span.nowMs))) {
    return { ...plan, hours: null };
  }
  const fromMs = Math.ceil(sinceMs / HOUR_MS) * HOUR_MS;
  const toMs = untilMs === null ? null : Math.floor(untilMs / HOUR_MS) * HOUR_MS;
  return { ...plan, hours: toMs !== null && toMs <= fromMs ? null : { fromMs, toMs } };
}

/** Whether local hours begin with UTC's; in some zones only for a part of the year. */
function hasWholeHours(zone: string, sinceMs: number, untilMs: number): boolean {
  const stepMs = Math.max(DAY_MS, (untilMs - sinceMs) / OFFSET_STEPS_MAX);
  for (let atMs = sinceMs; atMs < untilMs + DAY_MS; atMs += stepMs) {
    if (offsetMs(zone, atMs) % HOUR_MS !== 0) return false;
  }
  return true;
}

function answeredFrom({ hours, sinceMs, untilMs }: ReportPlan): UsageReport['answered_from'] {
  if (hours === null) return 'rows';
  return hours.fromMs === sinceMs && hours.toMs === untilMs ? 'hours' : 'both';
}

function columnsOf(groups: readonly Group[]): string[] {
  const own = groups.flatMap(({ kind, name }) =>
    kind === 'dimension' && NAMED[name] ? [name, `${name}_id`] : [name],
  );
  return [...own, ...SUMS];
}

function shown(row: Record<string, unknown>, groups: readonly Group[], zone: string) {
  const keys = groups.flatMap(({ kind, name }, i): [string, unknown][] => {
    const value = row[`g${i}`];
    if (name === 'hour') return [[name, hourText(Number(value), zone)]];
    if (kind !== 'dimension' || !NAMED[name]) return [[name, value]];
    return [
      [name, row[`name${i}`] ?? null],
      [`${name}_id`, value],
    ];
  });
  const sums = SUMS.map((name) => [name, sumOf(name, String(row[name]))] as const);
  return Object.fromEntries([...keys, ...sums]);
}

// Money stays the text that it is; a count beyond what a number holds stays one too.
function sumOf(name: string, text: string): string | number {
  return name.endsWith('_usd') || !Number.isSafeInteger(Number(text)) ? text : Number(text);
}

function totalOf(row: Record<string, unknown> | undefined): UsageSums {
  const values = SUMS.map((name) => {
    const none = name.endsWith('_usd') ? '0.000000000' : '0';
    return [name, sumOf(name, String(row?.[`total_${name}`] ?? none))];
  });
  return Object.fromEntries(values) as unknown as UsageSums;
}

/** The local time with its offset: twice a year only that tells two hours apart. */
function hourText(atS: number, zone: string): string {
  const offset = offsetMs(zone, atS * 1000);
  const local = new Date(atS * 1000 + offset).toISOString().slice(0, 16);
  const minutes = Math.abs(offset) / 60_000;
  const two = (count: number) => String(Math.floor(count)).padStart(2, '0');
  return `${local}${offset < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}
