// Every scope, unit, period and mode of a limit, in zones whose clocks turn, with weeks and months
// that begin on any day: whom it touches, under which label it is held, how it refuses and when it
// begins anew. The calendar it is held against walks the local clock of Intl minute by minute and
// counts days by itself.

import { describe, expect, it } from 'vitest';
import type { Unit } from '#src/core/amount.js';
import type { LimitRow } from '#src/core/directory.js';
import { FREE_SCOPES, type ScopeType } from '#src/core/envelope.js';
import { type Calendar, PERIODS, type Period } from '#src/core/period.js';
import { type EnvelopeFacts, envelopesFor } from '#src/rules/budget/envelopes.js';
import { refusalOf } from '#src/rules/budget/refusal.js';
import { reserveLines } from '#src/rules/budget/reserve-lines.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Zone, first day of the week, first day of the month, a moment, and what is the matter with it. */
const MOMENTS: readonly [string, number, number, string, string][] = [
  ['UTC', 1, 1, '2026-11-21T09:41:30Z', 'nothing'],
  ['UTC', 1, 31, '2026-02-27T23:59:59Z', 'anchor 31 in a short month'],
  ['UTC', 1, 31, '2028-02-28T12:00:00Z', 'anchor 31 before a leap day'],
  ['UTC', 1, 31, '2028-02-29T00:00:00Z', 'anchor 31 on a leap day'],
  ['UTC', 1, 30, '2027-02-28T00:00:00Z', 'anchor 30 on the last of February'],
  ['UTC', 7, 31, '2026-04-30T05:00:00Z', 'anchor 31 on the last of April, weeks from Sunday'],
  ['UTC', 4, 29, '2100-02-28T10:00:00Z', 'a century without a leap day, weeks from Thursday'],
  ['Europe/Berlin', 1, 1, '2026-03-29T00:30:00Z', 'an hour before clocks go forward'],
  ['Europe/Berlin', 7, 29, '2026-03-29T01:00:00Z', 'as clocks go forward, on the anchor'],
  ['Europe/Berlin', 1, 25, '2026-10-25T00:30:00Z', 'the first pass of 02:30, on the anchor'],
  ['Europe/Berlin', 6, 15, '2026-10-25T01:30:00Z', 'the second pass of 02:30'],
  ['America/New_York', 7, 1, '2026-10-31T23:00:00Z', 'before a month that begins with 25 hours'],
  ['America/Sao_Paulo', 7, 17, '2018-11-03T22:00:00Z', 'before a day that begins at 01:00'],
  ['America/Sao_Paulo', 1, 31, '2018-02-18T01:30:00Z', 'before midnight comes for a second time'],
  ['Australia/Lord_Howe', 3, 31, '2026-04-04T14:40:00Z', 'clocks go back by half an hour'],
  ['Asia/Kathmandu', 5, 31, '2026-12-31T18:10:00Z', '45 minutes off, before New Year'],
  ['Pacific/Apia', 1, 30, '2011-12-30T09:00:00Z', 'before a day that does not exist'],
  ['Pacific/Kiritimati', 2, 29, '2027-02-27T09:00:00Z', 'UTC+14, anchor 29 without a leap day'],
];

const UNITS: readonly Unit[] = ['nano_usd', 'tokens', 'requests', 'concurrency'];
const SCOPES: readonly ScopeType[] = ['global', 'project', 'agent', 'agent_type', ...FREE_SCOPES];

const FACTS: EnvelopeFacts = {
  agentId: 'a1',
  agentName: 'coder-1',
  agentType: 'coder',
  projectId: 'p1',
  userId: 'u1',
  keyId: 'k1',
  conversation: 'c1',
  task: 't1',
  person: 'ada',
  occasion: 'fair',
  endUser: 'e1',
  tags: { team: 'core' },
  issue: '12',
  pullRequest: '13',
  model: 'gpt',
  provider: 'openai',
};
const VALUES: Partial<Record<ScopeType, string>> = {
  user: 'u1',
  key: 'k1',
  conversation: 'c1',
  task: 't1',
  person: 'ada',
  occasion: 'fair',
  end_user: 'e1',
  tag: 'team=core',
  issue: '12',
  pull_request: '13',
  model: 'gpt',
  provider: 'openai',
};
const NOBODY: EnvelopeFacts = { agentId: 'a2', agentName: 'other', agentType: 'tester' };
const PROJECTS = new Map([['p1', { id: 'p1', name: 'demo', ownerId: 'u1', isActive: true }]]);

interface Case {
  scopeType: ScopeType;
  isTemplate: boolean;
  unit: Unit;
  period: Period;
  mode: 'block' | 'warn';
}

function casesOf(): Case[] {
  return SCOPES.flatMap((scopeType) =>
    (VALUES[scopeType] === undefined ? [false] : [false, true]).flatMap((isTemplate) =>
      UNITS.flatMap((unit) =>
        (unit === 'concurrency' ? (['ever'] as const) : PERIODS).flatMap((period) =>
          (['block', 'warn'] as const).map((mode) => ({
            ...{ scopeType, isTemplate, unit, period, mode },
          })),
        ),
      ),
    ),
  );
}

function limitOf({ scopeType, isTemplate, ...terms }: Case, calendar: Calendar): LimitRow {
  const value = VALUES[scopeType] ?? null;
  const star = scopeType === 'tag' ? 'team=*' : '*';
  return {
    id: 'l1',
    name: 'a limit',
    scopeType,
    scopeId: scopeType === 'project' ? 'p1' : scopeType === 'agent' ? 'a1' : null,
    scopeAgentType: scopeType === 'agent_type' ? 'coder' : null,
    scopeKey: isTemplate ? star : value,
    amount: 100,
    calendar,
    ...{ strict: false, visible: true, onLedgerDown: 'refuse', version: 2, thresholds: [] },
    ...terms,
  };
}

const HELD = { nano_usd: 7, tokens: 5, requests: 1, concurrency: 1 };

describe('a limit of every scope, unit, period and mode', () => {
  it.each(MOMENTS)(
    '%s, weeks from %i, months from %i, at %s: %s',
    (timeZone, weekStart, anchorDay, text) => {
      const calendar = { timeZone, weekStart, anchorDay };
      const nowMs = Date.parse(text);
      const begins = new Map(
        PERIODS.map((period) => [period, oracleReset(period, calendar, nowMs)]),
      );
      for (const one of casesOf()) {
        const got = JSON.stringify(gotOf(one, calendar, nowMs, begins.get(one.period)));
        const wanted = JSON.stringify(wantedOf(one, nowMs, begins.get(one.period)));
        // Plain comparisons: a hundred thousand of `expect` would take long.
        if (got !== wanted) expect.fail(`${JSON.stringify(one)}: ${got}, not ${wanted}`);
      }
    },
  );
});

function gotOf(one: Case, calendar: Calendar, nowMs: number, beginsMs: number | undefined) {
  const rows = { limits: [limitOf(one, calendar)], projects: PROJECTS };
  const touches = (facts: EnvelopeFacts) =>
    envelopesFor(facts, { ...rows, tokenBudgetsByAgent: new Map() });
  const found = touches(FACTS);
  const line = reserveLines(found, HELD, nowMs)[0]!;
  const label = (atMs: number) => reserveLines(found, HELD, atMs)[0]!.label;
  const shortage = { ...line, needed: 1, limit: 100, committed: 100, reserved: 0 };
  const { refused } = refusalOf([shortage], found, nowMs);
  return {
    touches: [found.length, touches(NOBODY).length],
    line: [line.unit, line.mode, line.limit, line.amount],
    isSameUntil: beginsMs === undefined ? line.label : label(beginsMs - 1) === line.label,
    isSameAt: beginsMs === undefined ? line.label : label(beginsMs) === line.label,
    resetsAt: refused.metadata?.resets_at,
    isBudget: refused.code.startsWith('budget'),
    retryAfter: beginsMs === undefined ? null : refused.headers?.['retry-after'],
  };
}

function wantedOf(one: Case, nowMs: number, beginsMs: number | undefined) {
  const { scopeType, unit, period, mode } = one;
  const isShort = period === 'minutely' || period === 'hourly';
  const isEver = beginsMs === undefined;
  return {
    touches: [1, scopeType === 'global' ? 1 : 0],
    line: [unit, mode, 100, HELD[unit]],
    isSameUntil: isEver ? 'ever' : true,
    isSameAt: isEver ? 'ever' : false,
    resetsAt: isEver ? null : new Date(beginsMs).toISOString().replace('.000', ''),
    isBudget: unit === 'nano_usd' || (unit !== 'concurrency' && !isShort),
    retryAfter: isEver ? null : `${Math.ceil((beginsMs - nowMs) / 1000)}`,
  };
}

/** When the next period begins; undefined: never. */
function oracleReset(period: Period, calendar: Calendar, nowMs: number): number | undefined {
  if (period === 'ever') return undefined;
  const shown = clockOf(calendar.timeZone);
  const minuteMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
  if (period === 'minutely') return minuteMs + MINUTE_MS;
  const now = shown(minuteMs);
  if (period === 'hourly') {
    // An hour ends where another one is shown, or where its own begins again.
    for (let atMs = minuteMs + MINUTE_MS; ; atMs += MINUTE_MS) {
      const [before, after] = [shown(atMs - MINUTE_MS), shown(atMs)];
      if (after.slice(0, 13) !== before.slice(0, 13) || after <= before) return atMs;
    }
  }
  // The date that the local clock has reached; it does not count back when the clock does.
  let today = now.slice(0, 10);
  for (let atMs = minuteMs - 4 * 60 * MINUTE_MS; atMs < minuteMs; atMs += MINUTE_MS) {
    const date = shown(atMs).slice(0, 10);
    if (date > today) today = date;
  }
  const first = nextFirstDay(period, calendar, today);
  const fromMs = Math.max(minuteMs, Date.parse(`${first}T00:00:00Z`) - 15 * 60 * MINUTE_MS);
  for (let atMs = fromMs; ; atMs += MINUTE_MS) if (shown(atMs).slice(0, 10) >= first) return atMs;
}

/** Day by day, by the rules as people say them. */
function nextFirstDay(period: Period, { weekStart, anchorDay }: Calendar, today: string): string {
  for (let dayMs = Date.parse(today) + DAY_MS; ; dayMs += DAY_MS) {
    const day = new Date(dayMs);
    const date = day.toISOString().slice(0, 10);
    if (period === 'daily') return date;
    if (period === 'weekly') {
      if (['', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'][weekStart] === NAMES.format(day)) {
        return date;
      }
      continue;
    }
    const isLast = new Date(dayMs + DAY_MS).getUTCDate() === 1;
    const number = day.getUTCDate();
    if (number === anchorDay || (isLast && number < anchorDay)) return date;
  }
}

const NAMES = new Intl.DateTimeFormat('en', { weekday: 'short', timeZone: 'UTC' });

/** What a clock on the wall shows: `2026-11-21 09:41`. */
function clockOf(timeZone: string): (atMs: number) => string {
  const wall = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  return (atMs) => wall.format(atMs);
}
