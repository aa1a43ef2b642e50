// periodWindow against an oracle that knows nothing of it: the local clock is read minute by
// minute from Intl, labels are made from what it shows, and windows are where the label changes.

import { describe, expect, it } from 'vitest';
import type { Calendar, Period } from '#src/core/period.js';
import { labelEndsBeforeMs } from '#src/rules/budget/label-end.js';
import { periodWindow } from '#src/rules/budget/period-window.js';

const MINUTE_MS = 60_000;
const DAY_MINUTES = 1440;

/** Around what each zone's clocks did: [zone, first UTC day, days, why]. */
const SCENES: readonly [string, string, number, string][] = [
  ['UTC', '2024-02-28', 3, 'leap day'],
  ['Europe/Berlin', '2026-03-28', 3, 'a day of 23 hours'],
  ['Europe/Berlin', '2026-10-24', 3, 'a day of 25 hours'],
  ['America/New_York', '2026-03-07', 3, 'forward'],
  ['America/New_York', '2026-10-31', 3, 'back, over the end of a month'],
  ['America/St_Johns', '2008-11-01', 3, 'back at 00:01, so that the date goes back too'],
  ['America/Sao_Paulo', '2018-02-17', 3, 'back at midnight'],
  ['America/Sao_Paulo', '2018-11-03', 3, 'forward at midnight: no 00:00'],
  ['America/Havana', '2026-10-31', 3, 'back from 01:00 to 00:00: midnight twice'],
  ['Asia/Beirut', '2026-03-28', 3, 'forward at midnight'],
  ['Australia/Lord_Howe', '2026-04-04', 3, 'back by half an hour'],
  ['Australia/Lord_Howe', '2026-10-03', 3, 'forward by half an hour'],
  ['Antarctica/Troll', '2026-10-24', 3, 'back by two hours'],
  ['Pacific/Apia', '2011-12-28', 4, 'a day that does not exist'],
  ['Asia/Pyongyang', '2015-08-13', 3, 'back by half an hour over midnight'],
  ['Asia/Kolkata', '2026-11-29', 4, 'an offset of half an hour'],
  ['Asia/Kathmandu', '2026-12-30', 4, 'an offset of 45 minutes, over New Year'],
  ['Pacific/Kiritimati', '2027-01-30', 3, 'UTC+14'],
];

const PERIODS = ['minutely', 'hourly', 'daily', 'weekly', 'monthly'] as const;

describe('windows follow the local clock', () => {
  it.each(SCENES)('%s from %s for %i days: %s', (timeZone, day, days) => {
    const calendar: Calendar = { timeZone, weekStart: 1, anchorDay: 1 };
    const fromMs = Date.parse(`${day}T00:00:00Z`);
    // The oracle begins a day earlier, for what the clock has shown already.
    const oracle = oracleLabels(calendar, fromMs - MINUTE_MS * DAY_MINUTES, days + 1);
    for (const period of PERIODS) {
      let previous: { label: string; endsAtMs: number | undefined } | undefined;
      for (let i = DAY_MINUTES; i < oracle.length; i++) {
        const atMs = fromMs + (i - DAY_MINUTES) * MINUTE_MS;
        const { label, startsAtMs, endsAtMs } = periodWindow(period, calendar, atMs);
        if (label !== oracle[i]![period]) {
          expect.fail(
            `${period} ${new Date(atMs).toISOString()}: ${label}, not ${oracle[i]![period]}`,
          );
        }
        // Plain comparisons: half a million of `expect` would take a minute.
        const turns = previous !== undefined && previous.label !== label;
        const isRight =
          startsAtMs <= atMs &&
          atMs < endsAtMs! &&
          (!turns || (previous?.endsAtMs === atMs && startsAtMs === atMs)) &&
          (turns || previous === undefined || previous.endsAtMs === endsAtMs);
        if (!isRight) expect.fail(`${period} ${new Date(atMs).toISOString()}: the window's ends`);
        previous = { label, endsAtMs };
      }
    }
  });

  it('gives the same window from a cold calendar at every instant as from a warm one', () => {
    const warm: Calendar = { timeZone: 'America/New_York', weekStart: 7, anchorDay: 31 };
    const fromMs = Date.parse('2026-10-30T00:00:00Z');
    for (let i = 0; i < 3 * 24 * 4; i++) {
      const atMs = fromMs + i * 15 * MINUTE_MS;
      for (const period of PERIODS) {
        expect(periodWindow(period, { ...warm }, atMs)).toEqual(periodWindow(period, warm, atMs));
      }
    }
  });

  it('never ends', () => {
    const calendar: Calendar = { timeZone: 'Europe/Berlin', weekStart: 1, anchorDay: 1 };
    expect(periodWindow('ever', calendar, 5)).toMatchObject({ label: 'ever', endsAtMs: undefined });
  });
});

describe('weeks and months', () => {
  const at = (period: Period, text: string, over: Partial<Calendar> = {}): string => {
    const calendar = { timeZone: 'UTC', weekStart: 1, anchorDay: 1, ...over };
    return periodWindow(period, calendar, Date.parse(`${text}T12:00:00Z`)).label;
  };

  it('count ISO weeks where weeks begin on Monday', () => {
    const known: [string, string][] = [
      ['2026-11-21', '2026-W47'],
      ['2024-12-29', '2024-W52'],
      ['2024-12-30', '2025-W01'],
      ['2027-01-03', '2026-W53'],
      ['2027-01-04', '2027-W01'],
      ['2021-01-03', '2020-W53'],
    ];
    for (const [day, label] of known) expect(at('weekly', day)).toBe(label);
  });

  it('count weeks by the same rule from any other first day, each with seven days', () => {
    for (let weekStart = 1; weekStart <= 7; weekStart++) {
      const days = new Map<string, number[]>();
      for (let i = 0; i < 7 * 53 * 6; i++) {
        const atMs = Date.UTC(2023, 0, 10 + i, 12);
        const label = at('weekly', new Date(atMs).toISOString().slice(0, 10), { weekStart });
        days.set(label, [...(days.get(label) ?? []), atMs]);
      }
      const weeks = [...days].slice(1, -1);
      for (const [label, instants] of weeks) {
        expect(instants).toHaveLength(7);
        expect(new Date(instants[0]!).getUTCDay() || 7).toBe(weekStart);
        expect(new Date(instants[3]!).getUTCFullYear()).toBe(Number(label.slice(0, 4)));
      }
      expect(new Set(weeks.map(([label]) => label)).size).toBe(weeks.length);
    }
  });

  it('begin a month on the anchor day, or on the last day of a shorter month', () => {
    const anchorDay = 31;
    expect(at('monthly', '2026-01-30', { anchorDay })).toBe('2025-12');
    expect(at('monthly', '2026-01-31', { anchorDay })).toBe('2026-01');
    expect(at('monthly', '2026-02-27', { anchorDay })).toBe('2026-01');
    expect(at('monthly', '2026-02-28', { anchorDay })).toBe('2026-02');
    expect(at('monthly', '2028-02-28', { anchorDay })).toBe('2028-01');
    expect(at('monthly', '2028-02-29', { anchorDay })).toBe('2028-02');
    expect(at('monthly', '2026-04-30', { anchorDay })).toBe('2026-04');
    expect(at('monthly', '2026-11-14', { anchorDay: 15 })).toBe('2026-10');
    expect(at('monthly', '2026-11-15', { anchorDay: 15 })).toBe('2026-11');
  });

  it('follow each other without a gap for ten years, from any anchor day', () => {
    for (const anchorDay of [1, 15, 28, 29, 30, 31]) {
      const calendar = { timeZone: 'Europe/Berlin', weekStart: 1, anchorDay };
      let window = periodWindow('monthly', calendar, Date.UTC(2023, 0, 5));
      const labels = new Set([window.label]);
      for (let i = 0; i < 120; i++) {
        const next = periodWindow('monthly', calendar, window.endsAtMs!);
        expect(next.startsAtMs).toBe(window.endsAtMs);
        labels.add(next.label);
        window = next;
      }
      expect(labels.size).toBe(121);
    }
  });
});

describe('labelEndsBeforeMs', () => {
  it('is never before the true end, and at most six weeks after it', () => {
    for (const [timeZone, day] of SCENES) {
      for (const weekStart of [1, 4, 7]) {
        const calendar = { timeZone, weekStart, anchorDay: weekStart * 4 };
        for (const period of PERIODS) {
          const atMs = Date.parse(`${day}T00:00:00Z`);
          for (let hour = 0; hour < 96; hour++) {
            const { label, endsAtMs } = periodWindow(
              period,
              calendar,
              atMs + hour * 60 * MINUTE_MS,
            );
            const bound = labelEndsBeforeMs(label)!;
            const restMs = bound - endsAtMs!;
            if (restMs < 0 || restMs > 42 * DAY_MINUTES * MINUTE_MS) expect.fail(label);
          }
        }
      }
    }
  });

  it('knows no end of ever, nor of what is no label', () => {
    expect(labelEndsBeforeMs('ever')).toBeUndefined();
    expect(labelEndsBeforeMs('2026-11x')).toBeUndefined();
  });
});

/** The labels of each minute, from what the local clock shows and has shown before. */
function oracleLabels(
  { timeZone }: Calendar,
  fromMs: number,
  days: number,
): Record<(typeof PERIODS)[number], string>[] {
  const clock = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  const shown = new Set<string>();
  const labels: ReturnType<typeof oracleLabels> = [];
  let [latestDay, week] = ['', ''];
  let hour = { text: '', minute: '', suffix: '' };
  for (let i = 0; i < days * DAY_MINUTES; i++) {
    const atMs = fromMs + i * MINUTE_MS;
    const [day, time] = clock.format(atMs).split(' ') as [string, string];
    const minute = `${day}T${time.slice(0, 5)}`;
    // An hour that is left and begun again is another one if the clock has shown its start before.
    const isNewHour = minute.slice(0, 13) !== hour.text || minute <= hour.minute;
    const suffix = shown.has(minute) ? offsetOf(timeZone, atMs) : '';
    hour = {
      text: minute.slice(0, 13),
      minute,
      suffix: isNewHour ? suffix : hour.suffix,
    };
    shown.add(minute);
    week = day > latestDay ? isoWeek(day) : week;
    if (day > latestDay) latestDay = day;
    labels.push({
      minutely: minute + suffix,
      hourly: hour.text + hour.suffix,
      daily: latestDay,
      weekly: week,
      monthly: latestDay.slice(0, 7),
    });
  }
  return labels;
}

function offsetOf(timeZone: string, atMs: number): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  const name = parts.formatToParts(atMs).find(({ type }) => type === 'timeZoneName')!.value;
  return name === 'GMT' ? '+00:00' : name.slice(3);
}

/** ISO 8601 by the Thursday of the week. */
function isoWeek(day: string): string {
  const thursday = new Date(`${day}T00:00:00Z`);
  while (thursday.getUTCDay() !== 4) {
    const step = (thursday.getUTCDay() || 7) > 4 ? -1 : 1;
    thursday.setUTCDate(thursday.getUTCDate() + step);
  }
  const year = thursday.getUTCFullYear();
  let week = 0;
  for (const day2 = new Date(thursday); day2.getUTCFullYear() === year; week++) {
    day2.setUTCDate(day2.getUTCDate() - 7);
  }
  return `${year}-W${String(week).padStart(2, '0')}`;
}
