// When a label is surely over, from its text alone: for whoever keeps counters and knows no
// calendar. Generous by zone and anchor day; never before the label's true end.

const DAY_MS = 86_400_000;
/** Zones reach from UTC-12 to UTC+14; a day covers each of them and a doubled DST hour. */
const ZONE_MS = DAY_MS;

const CALENDAR_LABEL =
  /^(\d{4})-(\d{2})(?:-(\d{2})(?:T(\d{2})(?::(\d{2}))?(?:[+-]\d{2}:\d{2})?)?)?$/;

/** Undefined for `ever` and for what is no label. */
export function labelEndsBeforeMs(label: string): number | undefined {
  const week = /^(\d{4})-W(\d{2})$/.exec(label);
  // Week 1 begins at the latest on January 7th, whatever day weeks begin on.
  if (week) return Date.UTC(Number(week[1]), 0, 7 + 7 * Number(week[2])) + ZONE_MS;
  const match = CALENDAR_LABEL.exec(label);
  if (!match) return undefined;
  const [year, month, day, hour, minute] = match.slice(1).map((part) => Number(part ?? Number.NaN));
  // A month that begins on an anchor day reaches into the month after it.
  if (Number.isNaN(day)) return Date.UTC(year!, month! + 1, 1) + ZONE_MS;
  if (Number.isNaN(hour)) return Date.UTC(year!, month! - 1, day! + 1) + ZONE_MS;
  const hourEnds = Date.UTC(year!, month! - 1, day!, hour! + 1);
  if (Number.isNaN(minute)) return hourEnds + ZONE_MS;
  return hourEnds - (59 - minute!) * 60_000 + ZONE_MS;
}
