// Which label an instant falls under, and from when to when: periods follow each other without a
// gap and no label ever comes back, whatever a zone does to its clocks. A day of 23 or 25 hours
// is one label. Weeks: W47 is counted by ISO 8601's rule with the calendar's own first day, so
// week 1 is the first that has at least four days in the year, and a week belongs to the year
// that has its fourth day.

import { unreachable } from '../../core/assert.js';
import type { Calendar, Period, PeriodWindow } from '../../core/period.js';
import {
  DAY_MS,
  firstInstantAt,
  isSecondPass,
  localMs,
  offsetMs,
  transitionMs,
} from './local-time.js';

const SPAN_MS = { minutely: 60_000, hourly: 3_600_000 } as const;
const EVER: PeriodWindow = { label: 'ever', startsAtMs: 0, endsAtMs: undefined };

// The current window of each calendar: all but a few calls ask for the one asked for last.
const current = new WeakMap<Calendar, Partial<Record<Period, PeriodWindow>>>();

export function periodWindow(period: Period, calendar: Calendar, atMs: number): PeriodWindow {
  if (period === 'ever') return EVER;
  let windows = current.get(calendar);
  if (!windows) {
    windows = {};
    current.set(calendar, windows);
  }
  const known = windows[period];
  if (known !== undefined && atMs >= known.startsAtMs && atMs < known.endsAtMs!) return known;
  const made = makeWindow(period, calendar, atMs);
  windows[period] = made;
  return made;
}

function makeWindow(
  period: Exclude<Period, 'ever'>,
  calendar: Calendar,
  atMs: number,
): PeriodWindow {
  const { timeZone } = calendar;
  switch (period) {
    case 'minutely':
    case 'hourly':
      return clockWindow(SPAN_MS[period], timeZone, atMs);
    case 'daily':
    case 'weekly':
    case 'monthly': {
      const firstDay = FIRST_DAY[period];
      let startLocalMs = firstDay(startOfDay(localMs(timeZone, atMs)), calendar);
      let made = dateWindow(period, calendar, startLocalMs);
      // Where clocks go back over midnight, a new day has begun although they show the old one.
      if (atMs >= made.endsAtMs!) {
        startLocalMs = nextFirstDay(period, calendar, startLocalMs);
        made = dateWindow(period, calendar, startLocalMs);
      }
      return made;
    }
    default:
      return unreachable(period);
  }
}

type DatePeriod = 'daily' | 'weekly' | 'monthly';

function dateWindow(period: DatePeriod, calendar: Calendar, startLocalMs: number): PeriodWindow {
  const { timeZone } = calendar;
  return {
    label: LABEL[period](startLocalMs, calendar),
    startsAtMs: firstInstantAt(timeZone, startLocalMs),
    endsAtMs: firstInstantAt(timeZone, nextFirstDay(period, calendar, startLocalMs)),
  };
}

/** The local midnight with which the period of this local midnight begins. */
const FIRST_DAY: Record<DatePeriod, (dayMs: number, calendar: Calendar) => number> = {
  daily: (dayMs) => dayMs,
  weekly: (dayMs, { weekStart }) => dayMs - ((weekday(dayMs) - weekStart + 7) % 7) * DAY_MS,
  monthly: (dayMs, { anchorDay }) => {
    const date = new Date(dayMs);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    const startsMs = monthStart(year, month, anchorDay);
    return dayMs >= startsMs ? startsMs : monthStart(year, month - 1, anchorDay);
  },
};

function nextFirstDay(period: DatePeriod, { anchorDay }: Calendar, startLocalMs: number): number {
  if (period === 'daily') return startLocalMs + DAY_MS;
  if (period === 'weekly') return startLocalMs + 7 * DAY_MS;
  const date = new Date(startLocalMs);
  return monthStart(date.getUTCFullYear(), date.getUTCMonth() + 1, anchorDay);
}

const LABEL: Record<DatePeriod, (startLocalMs: number, calendar: Calendar) => string> = {
  daily: (startLocalMs) => isoText(startLocalMs, 10),
  weekly: (startLocalMs) => {
    const fourthDayMs = startLocalMs + 3 * DAY_MS;
    const year = new Date(fourthDayMs).getUTCFullYear();
    const week = 1 + Math.floor((fourthDayMs - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
    return `${year}-W${String(week).padStart(2, '0')}`;
  },
  monthly: (startLocalMs) => isoText(startLocalMs, 7),
};

// The anchor's day, or the last of a month that has no such day.
function monthStart(year: number, month: number, anchorDay: number): number {
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return Date.UTC(year, month, Math.min(anchorDay, lastDay));
}

/** A minute or an hour of the local clock; its second pass, when clocks go back, is another one. */
function clockWindow(spanMs: number, timeZone: string, atMs: number): PeriodWindow {
  const startsAtMs = clockStart(spanMs, timeZone, atMs);
  const label = clockLabel(spanMs, timeZone, startsAtMs);
  const offset = offsetMs(timeZone, atMs);
  let endsAtMs = (Math.floor((atMs + offset) / spanMs) + 1) * spanMs - offset;
  if (offsetMs(timeZone, endsAtMs) !== offset) {
    const turnMs = transitionMs(timeZone, atMs, endsAtMs);
    if (clockLabel(spanMs, timeZone, turnMs) !== label) endsAtMs = turnMs;
  }
  return { label, startsAtMs, endsAtMs };
}

function clockStart(spanMs: number, timeZone: string, atMs: number): number {
  const offset = offsetMs(timeZone, atMs);
  const startsAtMs = Math.floor((atMs + offset) / spanMs) * spanMs - offset;
  if (offsetMs(timeZone, startsAtMs) === offset) return startsAtMs;
  return transitionMs(timeZone, startsAtMs, atMs);
}

/** Of the span that begins at this instant. */
function clockLabel(spanMs: number, timeZone: string, startsAtMs: number): string {
  const offset = offsetMs(timeZone, startsAtMs);
  const text = isoText(startsAtMs + offset, spanMs === SPAN_MS.hourly ? 13 : 16);
  return isSecondPass(timeZone, startsAtMs) ? text + offsetText(offset) : text;
}

function offsetText(offset: number): string {
  const minutes = Math.abs(Math.round(offset / 60_000));
  const text = (part: number): string => String(part).padStart(2, '0');
  return `${offset < 0 ? '-' : '+'}${text(Math.floor(minutes / 60))}:${text(minutes % 60)}`;
}

function isoText(localMsOf: number, length: number): string {
  return new Date(localMsOf).toISOString().slice(0, length);
}

function startOfDay(local: number): number {
  return Math.floor(local / DAY_MS) * DAY_MS;
}

/** 1 is Monday, 7 is Sunday. */
function weekday(dayMs: number): number {
  return new Date(dayMs).getUTCDay() || 7;
}
