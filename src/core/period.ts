// A period is a label in a counter's key: nothing is ever reset, a new name begins.

export type Period = 'minutely' | 'hourly' | 'daily' | 'weekly' | 'monthly' | 'ever';
export const PERIODS: readonly Period[] = [
  'minutely',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'ever',
];

export interface Calendar {
  /** IANA name, such as `Europe/Berlin`. */
  timeZone: string;
  /** 1 is Monday, 7 is Sunday. */
  weekStart: number;
  /** The day a month begins on; a shorter month begins on its last day. */
  anchorDay: number;
}

export const UTC_CALENDAR: Calendar = { timeZone: 'UTC', weekStart: 1, anchorDay: 1 };

export interface PeriodWindow {
  /** `2026-11-21T09:41`, `2026-11-21T09`, `2026-11-21`, `2026-W47`, `2026-11`, `ever`. */
  label: string;
  startsAtMs: number;
  /** When the next label begins; undefined for `ever`. */
  endsAtMs: number | undefined;
}
